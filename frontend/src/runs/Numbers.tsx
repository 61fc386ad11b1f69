/** Numbers by name, side by side; what is no number is left to others. */
import type { ReactNode } from "react";
import { figure } from "../format";
import type { ByModel } from "./byModel";
import { meaningOf } from "./meanings";

export function Numbers({ values }: { values: Record<string, unknown> }) {
  return (
    <dl className={GRID}>
      {Object.entries(values).map(([name, value]) => typeof value === "number" && <One key={name} name={name}>{figure(value)}</One>)}
    </dl>
  );
}

/** What was measured before and after, as `from → to`. */
export function BeforeAfter({ table: { metrics } }: { table: ByModel }) {
  return (
    <dl className={GRID}>
      {metrics.map(({ name, values: [before, after] }) => (
        <One key={name} name={name}><span className="text-md text-soft">{told(before)} <span aria-label="then">→</span> </span>{told(after)}</One>
      ))}
    </dl>
  );
}

/** Labels take one line or two; what stands below them stands level all the same. */
const GRID = "panel grid grid-cols-2 overflow-hidden sm:grid-cols-[repeat(auto-fit,minmax(11rem,1fr))]";

function told(value: number | null | undefined): string {
  return typeof value === "number" ? figure(value) : "–";
}

function One({ name, children }: { name: string; children: ReactNode }) {
  const { label, unit, text } = meaningOf(name);
  return (
    <div className="row-span-3 -mr-px -mb-px grid grid-rows-subgrid border-r border-b border-line px-4 py-3">
      <dt className="text-sm text-soft [overflow-wrap:anywhere]" title={name}>{label}{unit && <span className="text-faint"> {unit}</span>}</dt>
      <dd className="title text-xl">{children}</dd>
      {text && <dd className="text-xs text-pretty text-faint">{text}</dd>}
    </div>
  );
}
