/** Buttons, and links that look like them. */
import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, ButtonHTMLAttributes, Ref } from "react";
import { Icon, type IconName } from "./Icon";

type Look = "primary" | "plain" | "quiet" | "danger";

const BASE =
  "inline-flex items-center justify-center gap-1.5 min-h-9 px-3.5 rounded-md border font-medium whitespace-nowrap select-none transition-colors disabled:opacity-50 aria-disabled:opacity-50";
const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent border-transparent hover:bg-accent-strong",
  plain: "bg-surface text-ink border-edge/60 hover:border-edge hover:bg-sunken",
  quiet: "bg-transparent text-soft border-transparent hover:text-ink hover:bg-sunken",
  danger: "bg-surface text-danger border-danger/50 hover:bg-danger-wash",
};

interface Extra {
  look?: Look;
  icon?: IconName;
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & Extra & { busy?: boolean; ref?: Ref<HTMLButtonElement> };

export function Button({ look = "plain", icon, busy = false, className, children, type = "button", disabled, ...rest }: ButtonProps) {
  return (
    <button {...rest} type={type} disabled={disabled || busy} aria-busy={busy || undefined} className={`${BASE} ${LOOKS[look]} ${className ?? ""}`}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

type AnchorProps = AnchorHTMLAttributes<HTMLAnchorElement> & Extra & { ref?: Ref<HTMLAnchorElement> };

/** A link to something outside the pages, such as a file, that looks like a button. */
export function Anchor({ look = "plain", icon, className, children, ...rest }: AnchorProps) {
  return (
    <a {...rest} className={`${BASE} ${LOOKS[look]} ${className ?? ""}`}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  );
}

export const ButtonLink = createLink(Anchor);

/** A button whose picture says it; the name is for the tooltip and for screen readers. */
export function IconButton({ icon, label, pressed, className, size = 16, ...rest }: Omit<ButtonProps, "icon" | "look"> & { icon: IconName; label: string; pressed?: boolean; size?: number }) {
  const on = pressed ? "bg-accent-wash text-accent" : "text-soft hover:text-ink hover:bg-sunken";
  return (
    <button type="button" {...rest} aria-label={label} aria-pressed={pressed} title={rest.title ?? label} className={`inline-grid size-9 place-items-center rounded-md disabled:opacity-40 ${on} ${className ?? ""}`}>
      <Icon name={icon} size={size} />
    </button>
  );
}
