/** All keys on one sheet. */
import { useTranslation } from "react-i18next";
import type { Protocol } from "../api/types";
import { ButtonLink } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { type Action, keyLabel, type KeyMap } from "./keys";

const GROUPS: { title: string; actions: Action[] }[] = [
  { title: "Judging", actions: ["left", "right", "tie", "none", "skip", "undo", "comment"] },
  { title: "Reading", actions: ["down", "up", "flip", "layout", "diff", "plain", "prompt", "guidelines", "help"] },
];

export function KeysDialog({ keys, on, protocol, size, onClose }: { keys: KeyMap; on: boolean; protocol: Protocol | null; size: number; onClose: () => void }) {
  const { t } = useTranslation("annotate");
  const ranked = size > 2;
  const graded = !ranked && (protocol?.strength_levels ?? 0) > 0;
  const shown = (action: Action): boolean => {
    if (action === "left" || action === "right") return !ranked && !graded;
    if (action === "tie") return protocol?.allow_tie ?? true;
    if (action === "none") return protocol?.allow_none_acceptable ?? true;
    if (action === "comment") return protocol?.comment !== "off";
    return true;
  };
  const span = (protocol?.strength_levels ?? 0) * 2 + (protocol?.allow_tie ? 1 : 0);
  return (
    <Dialog title="Keys" onClose={onClose} footer={<ButtonLink to="/preferences" look="quiet">Change the keys</ButtonLink>}>
      {!on && <p className="mb-4 rounded-md bg-warn-wash px-3 py-2 text-warn">Single keys are switched off. You can switch them on in the preferences.</p>}
      <div className="grid gap-x-8 gap-y-5 sm:grid-cols-2">
        {GROUPS.map((group) => (
          <section key={group.title}>
            <h3 className="mb-1.5 text-sm font-medium text-faint">{group.title}</h3>
            <dl className="grid gap-1.5">
              {group.title === "Judging" && ranked && <Row keyText={`1 … ${size}`} text="Place this answer next, best first" />}
              {group.title === "Judging" && ranked && <Row keyText="Enter" text="All that are left are equal" />}
              {group.title === "Judging" && ranked && <Row keyText="⌫" text="Take the last place back" />}
              {group.title === "Judging" && graded && <Row keyText={`1 … ${span}`} text="From A much better to B much better" />}
              {group.actions.filter(shown).map((action) => (
                <Row key={action} keyText={keyLabel(keys[action])} text={action === "tie" && ranked ? "The next one ties with the last" : t(`action.${action}`)} />
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
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
