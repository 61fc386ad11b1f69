/** Pages by cursor: the server only knows “after this one”, so the way back is remembered here. */
import { useState } from "react";
import { Button } from "./Button";

export interface Cursor {
  after: string | null;
  number: number;
  next: (after: string) => void;
  back: () => void;
  reset: () => void;
}

export function useCursor(): Cursor {
  const [trail, setTrail] = useState<string[]>([]);
  return {
    after: trail.at(-1) ?? null,
    number: trail.length + 1,
    next: (after) => setTrail([...trail, after]),
    back: () => setTrail(trail.slice(0, -1)),
    reset: () => setTrail([]),
  };
}

export function Pager({ cursor, next }: { cursor: Cursor; next: string | null | undefined }) {
  if (cursor.number === 1 && !next) return null;
  return (
    <nav aria-label="Pages" className="mt-3 flex items-center justify-end gap-2">
      <span className="mr-1 text-sm text-faint">Page {cursor.number}</span>
      <Button icon="left" disabled={cursor.number === 1} onClick={cursor.back}>Back</Button>
      <Button disabled={!next} onClick={() => next && cursor.next(next)}>Next</Button>
    </nav>
  );
}
