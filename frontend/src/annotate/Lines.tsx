/** Quiet lines over the bar that come and go by themselves: why was it skipped, it is flagged, the main keys, undo a swipe. */
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Protocol } from "../api/types";
import { Icon } from "../components/Icon";
import type { PastFlag } from "./history";
import { grades, keyLabel, type KeyMap } from "./keys";
import { ReasonChips } from "./ReasonPanel";

const LINE = "flex flex-wrap items-center gap-x-3 gap-y-1.5 border-t border-line bg-page px-3 py-1.5 text-sm text-soft md:px-4";
const QUIET = "min-h-8 rounded-md px-2 font-medium text-accent hover:bg-sunken max-md:min-h-11";

/** Offered after a skip; gone with the next key. */
export function SkipLine({ onReason, onClose }: { onReason: (reason: string) => void; onClose: () => void }) {
  const { t } = useTranslation("annotate");
  return (
    <div className={LINE} role="group" aria-label={t("skip.after")}>
      <span>{t("skip.after")}</span>
      <ReasonChips about="skip" onChoose={onReason} />
      <button type="button" className={QUIET} onClick={onClose}>{t("skip.noReason")}</button>
    </div>
  );
}

export function FlagLine({ flag, onTakeBack }: { flag: PastFlag; onTakeBack: () => void }) {
  const { t } = useTranslation("annotate");
  return (
    <div className={`${LINE} bg-warn-wash text-warn`} role="status">
      <Icon name="flag" />
      <span className="min-w-0 truncate">{t("flag.flagged")}: <bdi>{flag.reason}</bdi></span>
      <button type="button" className={`${QUIET} text-warn underline`} onClick={onTakeBack}>{t("flag.takeBack")}</button>
    </div>
  );
}

const TOAST_MS = 6_000;

/** After a swipe, which is easily made by mistake. */
export function Toast({ said, onUndo, onClose }: { said: { text: string; at: number }; onUndo: () => void; onClose: () => void }) {
  const { t } = useTranslation("annotate");
  useEffect(() => {
    const timer = setTimeout(onClose, TOAST_MS);
    return () => clearTimeout(timer);
  }, [said, onClose]);
  return (
    <div className="pointer-events-none absolute inset-x-0 bottom-full flex justify-center pb-3">
      <p className="pointer-events-auto flex items-center gap-1 rounded-full border border-line bg-raised py-0.5 pr-1 pl-4 shadow-float">
        {said.text}
        <button type="button" onClick={onUndo} className="inline-flex min-h-11 items-center gap-1.5 rounded-full px-3 font-medium text-accent">
          <Icon name="undo" /> {t("undo.label")}
        </button>
      </p>
    </div>
  );
}

const SEEN = "podium.hint";
const ENOUGH = 5;

/** How often the hint has helped: whoever has judged a few knows the keys. */
function useSeen(judged: number): boolean {
  const [before] = useState(() => {
    try {
      return Number(localStorage.getItem(SEEN) ?? 0);
    } catch {
      return ENOUGH;
    }
  });
  useEffect(() => {
    if (judged === 0 || before >= ENOUGH) return;
    try {
      localStorage.setItem(SEEN, String(before + judged));
    } catch {
      // Storage is off: then it is shown again, which does no harm.
    }
  }, [judged, before]);
  return before + judged >= ENOUGH;
}

/** The main keys for somebody who is here for the first time; it leaves by itself. */
export function HintLine({ keys, protocol, size, judged }: { keys: KeyMap; protocol: Protocol; size: number; judged: number }) {
  const { t } = useTranslation("annotate");
  if (useSeen(judged)) return null;
  const graded = size === 2 && protocol.strength_levels > 0;
  const last = graded ? grades(protocol.strength_levels, protocol.allow_tie).length : size;
  const hints: [key: string, text: string][] = [
    ...(size > 2 || graded
      ? ([[`1 … ${last}`, graded ? t("hint.grade") : t("hint.rank")]] as [string, string][])
      : ([[keys.left, t("hint.left")], [keys.right, t("hint.right")], ...(protocol.allow_tie ? [[keys.tie, t("hint.tie")]] : [])] as [string, string][])),
    [keys.skip, t("hint.skip")],
    [keys.undo, t("hint.undo")],
    [keys.help, t("hint.help")],
  ];
  return (
    <p className={`${LINE} max-md:hidden`} data-testid="hint">
      <span className="text-faint">{t("hint.label")}</span>
      {hints.filter(([key]) => key !== "").map(([key, text]) => (
        <span key={text} className="whitespace-nowrap"><span className="kbd">{keyLabel(key)}</span> {text}</span>
      ))}
    </p>
  );
}
