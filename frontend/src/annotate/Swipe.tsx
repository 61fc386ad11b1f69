/**
 * A finger drawn sideways: judges a plain pair (towards the better side), or turns to the other answer. Not where
 * something scrolls sideways itself, and not while text is selected.
 */
import { type PointerEvent, type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

interface SwipeProps {
  enabled: boolean;
  /** What letting go means, shown while the finger moves; null: it turns the page, which shows by itself. */
  says: { left: string; right: string } | null;
  onSwipe: (direction: "left" | "right") => void;
  children: ReactNode;
}

const FAR = 88;
const SLANT = 0.6;

export function Swipe({ enabled, says, onSwipe, children }: SwipeProps) {
  const { t } = useTranslation("annotate");
  const start = useRef<{ x: number; y: number } | null>(null);
  const [moved, setMoved] = useState(0);
  const end = () => {
    start.current = null;
    setMoved(0);
  };
  const sideways = (event: PointerEvent): number => {
    if (!start.current || !window.getSelection()?.isCollapsed) return 0;
    const [dx, dy] = [event.clientX - start.current.x, event.clientY - start.current.y];
    return Math.abs(dy) > Math.abs(dx) * SLANT ? 0 : dx;
  };
  const down = (event: PointerEvent) => {
    const busy = event.target instanceof Element && event.target.closest("pre, .scroll, .katex-display, button, textarea") !== null;
    start.current = enabled && event.pointerType === "touch" && event.isPrimary && !busy ? { x: event.clientX, y: event.clientY } : null;
  };
  const move = (event: PointerEvent) => {
    if (says && start.current) setMoved(sideways(event));
  };
  const up = (event: PointerEvent) => {
    const dx = sideways(event);
    end();
    if (Math.abs(dx) >= FAR) onSwipe(dx < 0 ? "left" : "right");
  };
  const side = moved < 0 ? "left" : "right";
  return (
    <div className={`relative flex min-h-0 flex-1 flex-col ${enabled ? "touch-pan-y" : ""}`} onPointerDown={down} onPointerMove={move} onPointerUp={up} onPointerCancel={end}>
      {children}
      {says && Math.abs(moved) > 24 && (
        <div aria-hidden="true" className={`pointer-events-none fixed inset-y-0 z-40 grid place-items-center px-4 ${side === "left" ? "left-0" : "right-0"}`}>
          <span className={`rounded-full px-4 py-2 font-medium shadow-float ${Math.abs(moved) >= FAR ? "bg-accent text-on-accent" : "bg-raised text-soft"}`}>
            {Math.abs(moved) >= FAR ? says[side] : t("swipe.further", { what: says[side] })}
          </span>
        </div>
      )}
    </div>
  );
}
