/** A modal on the browser's own <dialog>: focus stays inside, Escape closes, focus goes back where it was. */
import { type ReactNode, useEffect, useId, useRef } from "react";
import { useTranslation } from "react-i18next";
import { IconButton } from "./Button";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  footer?: ReactNode;
  /** "drawer" stands at the right side, over the full height. */
  shape?: "box" | "wide" | "drawer";
}

const SHAPES = {
  box: "m-auto w-[min(34rem,calc(100vw-1.5rem))] max-h-[calc(100dvh-2rem)] rounded-lg",
  wide: "m-auto w-[min(52rem,calc(100vw-1.5rem))] max-h-[calc(100dvh-2rem)] rounded-lg",
  drawer: "ml-auto mr-0 my-0 h-dvh max-h-dvh w-[min(36rem,100vw)] rounded-l-lg",
};

export function Dialog({ title, onClose, children, footer, shape = "box" }: DialogProps) {
  const { t } = useTranslation();
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    // React's autoFocus comes before the dialog is open, and the browser would take the first button, "Close".
    dialog?.querySelector<HTMLElement>("[data-focus]")?.focus();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
      className={`border border-line bg-raised p-0 shadow-float ${SHAPES[shape]}`}
    >
      <div className="flex max-h-[inherit] flex-col">
        <header className="flex items-center justify-between gap-3 border-b border-line py-2.5 pr-2 pl-5">
          <h2 id={id} className="title text-lg">{title}</h2>
          <IconButton icon="close" label={t("close")} onClick={onClose} />
        </header>
        <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4" tabIndex={0}>{children}</div>
        {footer && <footer className="flex flex-wrap justify-end gap-2 border-t border-line px-5 py-3">{footer}</footer>}
      </div>
    </dialog>
  );
}
