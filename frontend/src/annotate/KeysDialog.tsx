/** All keys on one sheet. */
import { useTranslation } from "react-i18next";
import type { Protocol } from "../api/types";
import { ButtonLink } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { type Action, keyLabel, type KeyMap } from "./keys";

const JUDGING: readonly Action[] = ["left", "right", "tie", "none", "aspects", "comment", "mark", "ideal", "skip", "flag", "undo"];
const READING: readonly Action[] = ["down", "up", "flip", "layout", "diff", "plain", "prompt", "guidelines", "help"];

export function KeysDialog({ keys, on, protocol, size, onClose }: { keys: KeyMap; on: boolean; protocol: Protocol | null; size: number; onClose: () => void }) {
  const { t } = useTranslation("annotate");
  const ranked = size > 2;
  const graded = !ranked && (protocol?.strength_levels ?? 0) > 0;
  const shown = (action: Action): boolean => {
    switch (action) {
      case "left":
      case "right":
        return !ranked && !graded;
      case "tie":
        return (protocol?.allow_tie ?? true) && !graded;
      case "none":
        return protocol?.allow_none_acceptable ?? true;
      case "comment":
        return protocol?.comment !== "off";
      case "aspects":
        return (protocol?.aspects.length ?? 0) > 0;
      case "mark":
        return protocol?.spans ?? false;
      case "ideal":
        return protocol?.ideal_answer === "optional";
      default:
        return keys[action] !== "";
    }
  };
  const span = (protocol?.strength_levels ?? 0) * 2 + (protocol?.allow_tie ? 1 : 0);
  const row = (action: Action) => <Row key={action} keyText={keyLabel(keys[action])} text={action === "tie" && ranked ? t("bar.tieName") : t(`action.${action}`)} />;
  return (
    <Dialog title={t("keys.title")} onClose={onClose} footer={<ButtonLink to="/preferences" look="quiet">{t("keys.change")}</ButtonLink>}>
      {!on && <p className="mb-4 rounded-md bg-warn-wash px-3 py-2 text-warn">{t("keys.off")}</p>}
      <div className="grid gap-x-8 gap-y-5 sm:grid-cols-2">
        <Group title={t("keys.judging")}>
          {ranked && <Row keyText={`1 … ${size}`} text={t("keys.place")} />}
          {ranked && protocol?.allow_tie && <Row keyText="Enter" text={t("bar.restName")} />}
          {ranked && <Row keyText="⌫" text={t("bar.backName")} />}
          {graded && <Row keyText={`1 … ${span}`} text={t("keys.grade")} />}
          {JUDGING.filter(shown).map(row)}
          <Row keyText={`⇧ ${keyLabel(keys.skip)}`} text={t("skip.because")} />
        </Group>
        <Group title={t("keys.reading")}>{READING.filter(shown).map(row)}</Group>
      </div>
    </Dialog>
  );
}

function Group({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section>
      <h3 className="mb-1.5 text-sm font-medium text-faint">{title}</h3>
      <dl className="grid gap-1.5">{children}</dl>
    </section>
  );
}

function Row({ keyText, text }: { keyText: string; text: string }) {
  return (
    <div className="flex items-baseline gap-3">
      <dt className="w-12 shrink-0"><span className="kbd">{keyText}</span></dt>
      <dd>{text}</dd>
    </div>
  );
}
