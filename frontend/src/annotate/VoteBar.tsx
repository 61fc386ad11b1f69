/**
 * The bar that never moves: one button for each thing that can be said, with its key on it. A button that means nothing
 * just now keeps the focus, so that who judges with Tab and Enter never has to look for it again.
 */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Protocol } from "../api/types";
import { IconButton } from "../components/Button";
import { Icon, type IconName } from "../components/Icon";
import { verdict } from "../format";
import { type Answer, answerName } from "./answers";
import type { Past } from "./history";
import { grades, keyLabel, type KeyMap } from "./keys";
import { type Order, placed } from "./ranking";

interface BarProps {
  protocol: Protocol;
  size: number;
  keys: KeyMap | null;
  disabled: boolean;
  onAnswer: (answer: Answer) => void;
  onSkip: () => void;
  /** Skip, but say why first. */
  onSkipBecause: () => void;
  onFlag: () => void;
  flagged: boolean;
  onUndo: () => void;
  onHelp: () => void;
  undoing: boolean;
  last: Past | null;
  message: string | null;
  ranking: { order: Order; tied: boolean; onTie: () => void; onBack: () => void; onRest: () => void };
}

export function VoteBar(props: BarProps) {
  const { t } = useTranslation("annotate");
  const { protocol, size, keys, disabled } = props;
  const ranked = size > 2;
  return (
    <div role="group" aria-label={t("bar.label")} className="grid grid-cols-[1fr] items-center gap-x-4 gap-y-1.5 border-t border-line bg-page px-2.5 py-2 pb-[max(0.5rem,env(safe-area-inset-bottom))] md:grid-cols-[minmax(0,1fr)_auto_minmax(0,1fr)] md:px-4">
      <div className="flex min-w-0 items-center gap-2 max-md:order-2">
        <Small icon="undo" label={t("undo.label")} keyName={keys?.undo} onClick={props.onUndo} busy={props.undoing} />
        <p className="min-w-0 flex-1 truncate text-sm text-faint" title={props.message ?? undefined}>
          {props.message ? <span className="text-warn">{props.message}</span> : <Last last={props.last} />}
        </p>
        <div className="flex items-center md:hidden">
          <IconButton icon="flag" label={t("flag.label")} pressed={props.flagged} onClick={props.onFlag} disabled={disabled} className="size-11" />
          <Small icon="skip" label={t("skip.label")} keyName={keys?.skip} onClick={props.onSkip} disabled={disabled} />
        </div>
      </div>
      <div className="flex min-w-0 items-stretch justify-center gap-1.5 max-md:order-1 max-md:flex-wrap md:gap-2">
        {ranked ? <Ranking {...props} /> : protocol.strength_levels > 0 ? <Graded {...props} /> : <Pair {...props} />}
        {protocol.allow_none_acceptable && (
          <Big label={<><span className="max-lg:hidden">{t("bar.none")}</span><span className="lg:hidden">{t("bar.noneShort")}</span></>} name={t("bar.none")} keyName={keys?.none} onClick={() => props.onAnswer({ ranks: null })} disabled={disabled} quiet />
        )}
      </div>
      <div className="flex items-center justify-end max-md:hidden">
        <Small icon="skip" label={t("skip.label")} keyName={keys?.skip} onClick={props.onSkip} disabled={disabled} />
        <IconButton icon="down" size={13} label={t("skip.because")} title={keys ? `${t("skip.because")} (Shift+${keyLabel(keys.skip)})` : undefined} onClick={props.onSkipBecause} disabled={disabled} className="-ml-1 w-7" />
        <IconButton icon="flag" label={t("flag.label")} title={keys?.flag ? `${t("flag.label")} (${keyLabel(keys.flag)})` : undefined} pressed={props.flagged} onClick={props.onFlag} disabled={disabled} />
        <IconButton icon="keyboard" label={t("action.help")} title={keys?.help ? `${t("action.help")} (${keyLabel(keys.help)})` : undefined} onClick={props.onHelp} />
      </div>
    </div>
  );
}

/** What was done last: what the undo button would take back. */
function Last({ last }: { last: Past | null }) {
  const { t } = useTranslation("annotate");
  if (!last) return null;
  if (last.what === "judgment" && !last.body) return null;
  const what = last.what === "skip" ? t("bar.skipped") : last.what === "flag" ? t("bar.flagged") : verdict(last.body!.ranks, last.body!.none_acceptable ?? false);
  return t("bar.last", { what });
}

function Pair({ protocol, keys, disabled, onAnswer }: BarProps) {
  const { t } = useTranslation(["annotate", "common"]);
  return (
    <>
      <Big label={<><span className="max-lg:hidden">{t("bar.aBetter")}</span><span className="lg:hidden">A</span></>} name={t("bar.aName")} keyName={keys?.left} onClick={() => onAnswer({ ranks: [1, 2] })} disabled={disabled} icon="left" />
      {protocol.allow_tie && <Big label={t("common:verdict.tie")} name={t("common:verdict.tie")} keyName={keys?.tie} onClick={() => onAnswer({ ranks: [1, 1] })} disabled={disabled} />}
      <Big label={<><span className="max-lg:hidden">{t("bar.bBetter")}</span><span className="lg:hidden">B</span></>} name={t("bar.bName")} keyName={keys?.right} onClick={() => onAnswer({ ranks: [2, 1] })} disabled={disabled} iconAfter="right" />
    </>
  );
}

/** A scale from much left to much right; the further out, the stronger the green. */
function Graded({ protocol, disabled, onAnswer, keys }: BarProps) {
  const { t } = useTranslation("annotate");
  const all = grades(protocol.strength_levels, protocol.allow_tie);
  return (
    <div role="group" aria-label={t("bar.graded")} className="flex min-w-0 items-stretch gap-1 max-md:basis-full">
      <span aria-hidden="true" className="title self-center pr-1 text-md text-accent">A</span>
      {all.map((grade, at) => (
        <button
          key={grade.label}
          type="button"
          aria-disabled={disabled || undefined}
          aria-label={grade.label}
          aria-keyshortcuts={keys ? String(at + 1) : undefined}
          title={grade.label}
          onClick={disabled ? undefined : () => onAnswer(grade)}
          className="grid min-h-12 min-w-8 place-items-center max-md:flex-1 rounded-md border border-edge/60 px-1.5 text-ink hover:border-accent aria-disabled:opacity-50 md:min-w-14"
          style={{ background: `color-mix(in oklab, var(--color-accent-wash) ${((grade.strength ?? 0) / protocol.strength_levels) * 100}%, var(--color-surface))` }}
        >
          <span className="text-xs max-md:hidden">{grade.word}</span>
          <span className="font-medium md:hidden">{grade.strength ?? "="}</span>
          {keys && <span className="kbd max-md:hidden">{at + 1}</span>}
        </button>
      ))}
      <span aria-hidden="true" className="title self-center pl-1 text-md text-accent">B</span>
    </div>
  );
}

function Ranking({ size, keys, disabled, protocol, ranking }: BarProps) {
  const { t } = useTranslation("annotate");
  const { order } = ranking;
  const done = placed(order);
  const top = protocol.top ?? null;
  return (
    <>
      <p className="min-w-24 self-center px-1 text-center max-md:basis-full" aria-live="polite">
        {done === 0 ? (
          <span className="text-soft">
            {top === null ? t("bar.bestFirst") : t("bar.bestOf", { count: top })}
            {keys && <span className="max-md:hidden">: <span className="kbd">1</span> … <span className="kbd">{size}</span></span>}
          </span>
        ) : (
          <span className="font-medium">
            {order.map((group) => group.map((place) => answerName(place, size)).join(" = ")).join("  >  ")}
            <span className="text-faint">{ranking.tied ? "  =  ?" : "  >  ?"}</span>
            {top !== null && <span className="ml-2 text-sm font-normal text-faint">{t("bar.ofTop", { done, top })}</span>}
          </span>
        )}
      </p>
      {protocol.allow_tie && <Big label={t("bar.tieShort")} name={t("bar.tieName")} keyName={keys?.tie} pressed={ranking.tied} onClick={ranking.onTie} disabled={disabled || done === 0} />}
      {protocol.allow_tie && <Big label={t("bar.restShort")} name={t("bar.restName")} keyName={keys ? "Enter" : undefined} onClick={ranking.onRest} disabled={disabled || done === 0} />}
      <Big label={t("bar.back")} name={t("bar.backName")} keyName={keys ? "⌫" : undefined} onClick={ranking.onBack} disabled={disabled || done === 0} quiet />
    </>
  );
}

interface BigProps {
  label: ReactNode;
  name: string;
  keyName: string | undefined;
  onClick: () => void;
  disabled: boolean;
  icon?: IconName;
  iconAfter?: IconName;
  quiet?: boolean;
  pressed?: boolean;
}

function Big({ label, name, keyName, onClick, disabled, icon, iconAfter, quiet, pressed }: BigProps) {
  const look = quiet
    ? "border-edge/60 text-soft hover:text-ink hover:bg-sunken"
    : pressed
      ? "border-accent bg-accent text-on-accent"
      : "border-edge/60 bg-surface text-ink hover:border-accent hover:bg-accent-wash active:bg-accent active:text-on-accent";
  return (
    <button type="button" aria-label={name} aria-pressed={pressed} aria-keyshortcuts={keyName?.length === 1 ? keyName : undefined} onClick={disabled ? undefined : onClick} aria-disabled={disabled || undefined} className={`inline-flex min-h-12 items-center justify-center gap-2 rounded-md border px-3 font-medium whitespace-nowrap aria-disabled:opacity-50 max-md:flex-1 md:px-4 ${look}`}>
      {icon && <Icon name={icon} />}
      <span>{label}</span>
      {keyName && <span className="kbd max-sm:hidden">{keyLabel(keyName)}</span>}
      {iconAfter && <Icon name={iconAfter} />}
    </button>
  );
}

function Small({ icon, label, keyName, onClick, disabled, busy }: { icon: IconName; label: string; keyName: string | undefined; onClick: () => void; disabled?: boolean; busy?: boolean }) {
  return (
    <button type="button" onClick={disabled ? undefined : onClick} aria-disabled={disabled || undefined} aria-busy={busy} aria-label={label} aria-keyshortcuts={keyName?.length === 1 ? keyName : undefined} className="inline-flex min-h-9 items-center gap-1.5 rounded-md px-2.5 text-soft hover:bg-sunken hover:text-ink aria-disabled:opacity-50 max-md:min-h-11">
      <Icon name={icon} />
      {label}
      {keyName && <span className="kbd max-sm:hidden">{keyLabel(keyName)}</span>}
    </button>
  );
}
