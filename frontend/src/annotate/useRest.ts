/** After 25 minutes without a pause a break is offered, once; then the minutes begin anew. */
import { useRef, useState } from "react";

const REST_AFTER_MS = 25 * 60_000;
/** Who was away for so long has had a break. */
const REST_GAP_MS = 4 * 60_000;

export interface Rest {
  due: boolean;
  /** A judgment was made. */
  worked: (now: number) => void;
  close: () => void;
}

export function useRest(): Rest {
  const [due, setDue] = useState(false);
  const stretch = useRef({ from: Date.now(), last: Date.now() });
  return {
    due,
    worked: (now) => {
      if (now - stretch.current.last > REST_GAP_MS) stretch.current.from = now;
      stretch.current.last = now;
      if (now - stretch.current.from <= REST_AFTER_MS) return;
      stretch.current.from = now;
      setDue(true);
    },
    close: () => setDue(false),
  };
}
