/** Follows something that only grows: asks for what is new every few seconds while it lives, once more when it ends. */
import { useEffect, useEffectEvent, useState } from "react";

interface Tail<T> {
  items: T[];
  loading: boolean;
  error: unknown;
}

export function useTail<T>(
  fetchMore: (after: number) => Promise<{ items: T[]; next_after: number }>,
  join: (before: readonly T[], more: readonly T[]) => T[],
  live: boolean,
  pauseMs: number,
): Tail<T> {
  const [tail, setTail] = useState<Tail<T>>({ items: [], loading: true, error: null });
  const [cursor] = useState({ after: -1 });
  const more = useEffectEvent(async () => {
    // Long histories come in pieces; all that is there already is fetched without a pause.
    for (;;) {
      const { items, next_after } = await fetchMore(cursor.after);
      const moved = next_after > cursor.after;
      cursor.after = Math.max(cursor.after, next_after);
      setTail((before) => ({ items: items.length > 0 ? join(before.items, items) : before.items, loading: false, error: null }));
      if (!moved || items.length === 0) return;
    }
  });
  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const step = async () => {
      try {
        if (document.visibilityState === "visible") await more();
      } catch (error) {
        setTail((before) => ({ ...before, loading: false, error }));
      }
      if (!stopped && live) timer = setTimeout(() => void step(), pauseMs);
    };
    void step();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [live, pauseMs]);
  return tail;
}
