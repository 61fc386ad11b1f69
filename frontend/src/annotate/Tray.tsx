/** A panel over the bar. It takes the keyboard while it is open, and gives it back where it was. */
import { type ReactNode, useEffect, useEffectEvent, useRef } from "react";
import { IconButton } from "../components/Button";

interface TrayProps {
  label: string;
  closeLabel: string;
  onClose: () => void;
  children: ReactNode;
  className?: string;
}

export function Tray({ label, closeLabel, onClose, children, className }: TrayProps) {
  const ref = useRef<HTMLElement>(null);
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault();
    onClose();
  });
  useEffect(() => {
    // Where a mouse has clicked is no place to come back to.
    const before = document.activeElement?.matches(":focus-visible") ? document.activeElement : null;
    const tray = ref.current;
    const listener = (event: KeyboardEvent) => onKey(event);
    tray?.addEventListener("keydown", listener);
    tray?.querySelector<HTMLElement>("[data-focus]")?.focus();
    return () => {
      tray?.removeEventListener("keydown", listener);
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <section
      ref={ref}
      aria-label={label}
      className={`relative border-t border-line bg-raised px-3 py-2.5 pr-12 shadow-float md:px-4 md:pr-14 ${className ?? ""}`}
    >
      {children}
      <IconButton icon="close" label={closeLabel} onClick={onClose} className="absolute top-1.5 right-1.5 max-md:size-11" />
    </section>
  );
}
