/** The head of a page (way back, title, actions) and its column. Sets the window's title. */
import { type ReactNode, useEffect } from "react";

interface PageProps {
  title: string;
  /** Stands above the title: a link to where this page hangs. */
  back?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  wide?: boolean;
  /** It speaks the reader's language. Those of admins are English, whatever is around them. */
  translated?: boolean;
  children: ReactNode;
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Podium`;
  }, [title]);
}

export function Page({ title, back, lead, actions, wide, translated, children }: PageProps) {
  useTitle(title);
  return (
    <div lang={translated ? undefined : "en"} className={`mx-auto w-full px-4 pt-5 pb-16 sm:px-7 sm:pt-7 ${wide ? "max-w-[96rem]" : "max-w-[68rem]"}`}>
      <header className="mb-5 flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
        <div className="min-w-0">
          {back && <div className="mb-1 text-sm text-faint">{back}</div>}
          <h1 className="title text-2xl [overflow-wrap:anywhere]">{title}</h1>
          {lead && <div className="mt-1.5 max-w-[65ch] text-pretty text-soft">{lead}</div>}
        </div>
        {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function Section({ title, actions, children, className }: { title: string; actions?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`mt-8 ${className ?? ""}`}>
      <div className="mb-2.5 flex flex-wrap items-center justify-between gap-2">
        <h2 className="title text-lg">{title}</h2>
        {actions}
      </div>
      {children}
    </section>
  );
}

/** A wide table scrolls inside its frame, never the page: not even words in it that only a screen reader sees. */
export function TableFrame({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="panel relative overflow-x-auto" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}
