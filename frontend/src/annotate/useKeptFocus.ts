/** The focus goes on to the next comparison when the one that held it is gone: those who use Tab need not start anew. */
import { type RefObject, useEffect, useRef } from "react";

export function useKeptFocus(frame: RefObject<HTMLElement | null>, comparison: string | undefined): void {
  const inside = useRef(false);
  useEffect(() => {
    const look = () => {
      const focused = document.activeElement;
      if (focused && focused !== document.body) inside.current = focused.closest("article") !== null;
    };
    const point = () => (inside.current = false);
    document.addEventListener("focusin", look);
    document.addEventListener("pointerdown", point);
    return () => {
      document.removeEventListener("focusin", look);
      document.removeEventListener("pointerdown", point);
    };
  }, []);
  useEffect(() => {
    const lost = !document.activeElement || document.activeElement === document.body || !document.activeElement.checkVisibility();
    if (comparison === undefined || !inside.current || !lost) return;
    const shown = [...(frame.current?.querySelectorAll("article") ?? [])].find((one) => one.checkVisibility());
    shown?.focus({ preventScroll: true });
  }, [comparison, frame]);
}
