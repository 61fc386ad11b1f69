/** The bar that never moves: one button for each thing that can be said, with its key on it. */
import type { ReactNode } from "react";
import type { Protocol } from "../api/types";
import { IconButton } from "../components/Button";
import { Icon, type IconName } from "../components/Icon";
import { verdict } from "../format";
import { type Answer, answerName } from "./answers";
import { grades, keyLabel, type KeyMap } from "./keys";
import type { Entry } from "./outbox";
import { type Order, placed } from "./ranking";

interface BarProps {
  protocol: Protocol;
  size: number;
  keys: KeyMap | null;
  disabled: boolean;
  onAnswer: (answer: Answer) => void;
  onSkip: () => void;
  onUndo: () => void;
  onHelp: () => void;
  undoing: boolean;
  last: Entry | null;
  message: string | null;
  ranking: { order: Order; tied: boolean; onTie: () => void; onBack: () => void; onRest: () => void };
}

export function VoteBar(props: BarProps) {
  const { protocol, size, keys, disabled } = props;
  const ranked = size > 2;
  return (
    <div role="group" aria-label="Judgment" className="grid grid-cols-[1fr] items-center gap-x-4 gap-y-1.5 border-t border-line bg-page px-2.5 py-2 pb-[max(0.5rem,env(safe-area-inset-bottom))] md:grid-cols-[minmax(0,1fr)_auto_minmax(0,1fr)] md:px-4">
      <div className="flex min-w-0 items-center gap-2 max-md:order-2">
        <Small icon="undo" label="Undo" keyName={keys?.undo} onClick={props.onUndo} busy={props.undoing} />
        <p className="min-w-0 flex-1 truncate text-sm text-faint" title={props.message ?? undefined}>
          {props.message ? <span className="text-warn">{props.message}</span> : props.last ? <>Last: {props.last.what === "skip" ? "skipped" : verdict(props.last.body.ranks, props.last.body.none_acceptable ?? false)}</> : null}
        </p>
        <div className="flex items-center gap-1 md:hidden">
          <Small icon="skip" label="Skip" keyName={keys?.skip} onClick={props.onSkip} disabled={disabled} />
        </div>
      </div>
      <div className="flex min-w-0 items-stretch justify-center gap-1.5 max-md:order-1 max-md:flex-wrap md:gap-2">
        {ranked ? <Ranking {...props} /> : protocol.strength_levels > 0 ? <Graded {...props} /> : <Pair {...props} />}
        {protocol.allow_none_acceptable && (
          <Big label={<><span className="max-lg:hidden">None acceptable</span><span className="lg:hidden">None</span></>} name="None acceptable" keyName={keys?.none} onClick={() => props.onAnswer({ ranks: null })} disabled={disabled} quiet />
        )}
      </div>
      <div className="flex items-center justify-end gap-1 max-md:hidden">
        <Small icon="skip" label="Skip" keyName={keys?.skip} onClick={props.onSkip} disabled={disabled} />
        <IconButton icon="keyboard" label="Show all keys" onClick={props.onHelp} />
      </div>
    </div>
  );
}

function Pair({ protocol, keys, disabled, onAnswer }: BarProps) {
  return (
    <>
      <Big label={<>A <Wide>is better</Wide></>} name="A is better (left)" keyName={keys?.left} onClick={() => onAnswer({ ranks: [1, 2] })} disabled={disabled} icon="left" />
      {protocol.allow_tie && <Big label="Tie" name="Tie" keyName={keys?.tie} onClick={() => onAnswer({ ranks: [1, 1] })} disabled={disabled} />}
      <Big label={<>B <Wide>is better</Wide></>} name="B is better (right)" keyName={keys?.right} onClick={() => onAnswer({ ranks: [2, 1] })} disabled={disabled} iconAfter="right" />
    </>
  );
}

/** A scale from much left to much right; the further out, the stronger the green. */
function Graded({ protocol, disabled, onAnswer, keys }: BarProps) {
  const all = grades(protocol.strength_levels, protocol.allow_tie);
  return (
    <div role="group" aria-label="Which is better, and how much" className="flex min-w-0 items-stretch gap-1 max-md:basis-full">
      <span aria-hidden="true" className="title self-center pr-1 text-md text-accent">A</span>
      {all.map((grade, at) => (
        <button
          key={grade.label}
          type="button"
          disabled={disabled}
          aria-label={grade.label}
          aria-keyshortcuts={keys ? String(at + 1) : undefined}
          title={grade.label}
          onClick={() => onAnswer(grade)}
          className="grid min-h-12 min-w-8 place-items-center max-md:flex-1 rounded-md border border-edge/60 px-1.5 text-ink hover:border-accent disabled:opacity-50 md:min-w-14"
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
  const { order } = ranking;
  const done = placed(order);
  return (
    <>
      <p className="min-w-24 self-center px-1 text-center max-md:basis-full" aria-live="polite">
        {done === 0 ? (
          <span className="text-soft">Best first{keys && <span className="max-md:hidden">: <span className="kbd">1</span> … <span className="kbd">{size}</span></span>}</span>
        ) : (
          <span className="font-medium">{order.map((group) => group.map((place) => answerName(place, size)).join(" = ")).join("  >  ")}<span className="text-faint">{ranking.tied ? "  =  ?" : "  >  ?"}</span></span>
        )}
      </p>
      {protocol.allow_tie && <Big label="Tie with last" name="The next one ties with the last" keyName={keys?.tie} pressed={ranking.tied} onClick={ranking.onTie} disabled={disabled || done === 0} />}
      {protocol.allow_tie && <Big label="Rest equal" name="All that are left are equal" keyName={keys ? "Enter" : undefined} onClick={ranking.onRest} disabled={disabled || done === 0} />}
      <Big label="Back" name="Take the last place back" keyName={keys ? "⌫" : undefined} onClick={ranking.onBack} disabled={disabled || done === 0} quiet />
    </>
  );
}

function Wide({ children }: { children: ReactNode }) {
  return <span className="max-lg:hidden">{children}</span>;
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
    <button type="button" aria-label={name} aria-pressed={pressed} aria-keyshortcuts={keyName?.length === 1 ? keyName : undefined} onClick={onClick} disabled={disabled} className={`inline-flex min-h-12 items-center justify-center gap-2 rounded-md border px-3 font-medium whitespace-nowrap disabled:opacity-50 max-md:flex-1 md:px-4 ${look}`}>
      {icon && <Icon name={icon} />}
      <span>{label}</span>
      {keyName && <span className="kbd max-sm:hidden">{keyLabel(keyName)}</span>}
      {iconAfter && <Icon name={iconAfter} />}
    </button>
  );
}

function Small({ icon, label, keyName, onClick, disabled, busy }: { icon: IconName; label: string; keyName: string | undefined; onClick: () => void; disabled?: boolean; busy?: boolean }) {
  return (
    <button type="button" onClick={onClick} disabled={disabled} aria-busy={busy} aria-label={label} aria-keyshortcuts={keyName?.length === 1 ? keyName : undefined} className="inline-flex min-h-9 items-center gap-1.5 rounded-md px-2.5 text-soft hover:bg-sunken hover:text-ink disabled:opacity-50 max-md:min-h-11">
      <Icon name={icon} />
      {label}
      {keyName && <span className="kbd max-sm:hidden">{keyLabel(keyName)}</span>}
    </button>
  );
}
