/** Where somebody stands before real work, by word, sign and colour. */
import type { Standing } from "../api/types";

const LOOKS = {
  learning: { sign: "◌", look: "bg-sunken text-soft" },
  qualified: { sign: "✓", look: "bg-accent-wash text-accent" },
  failed: { sign: "✕", look: "bg-danger-wash text-danger" },
} as const;

export function StandingBadge({ standing }: { standing: Standing }) {
  const { sign, look } = LOOKS[standing.state];
  return (
    <span className={`inline-flex items-center gap-1.5 rounded-full px-2.5 py-0.5 text-xs font-medium whitespace-nowrap ${look}`}>
      <span aria-hidden="true">{sign}</span>
      {standing.state}
      {standing.right !== null && standing.asked !== null && standing.asked > 0 && <span className="font-normal">{standing.right} of {standing.asked}</span>}
      {standing.attempt > 1 && <span className="font-normal">attempt {standing.attempt}</span>}
    </span>
  );
}
