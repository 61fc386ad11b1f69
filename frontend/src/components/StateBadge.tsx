/** The state of a run, by word, sign and colour (never by colour alone). */
import type { RunState } from "../api/types";

const LOOKS: Record<RunState, { sign: string; look: string }> = {
  queued: { sign: "◌", look: "bg-sunken text-soft" },
  running: { sign: "●", look: "bg-accent-wash text-accent" },
  succeeded: { sign: "✓", look: "bg-accent-wash text-accent" },
  failed: { sign: "✕", look: "bg-danger-wash text-danger" },
  cancelled: { sign: "–", look: "bg-warn-wash text-warn" },
};

export function StateBadge({ state }: { state: RunState }) {
  const { sign, look } = LOOKS[state];
  return (
    <span className={`inline-flex items-center gap-1.5 rounded-full px-2.5 py-0.5 text-xs font-medium ${look}`}>
      <span aria-hidden="true" className={state === "running" ? "animate-pulse" : ""}>{sign}</span>
      {state}
    </span>
  );
}
