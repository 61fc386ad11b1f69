/** One of a list of cards, each of which leads somewhere: all of its area is the link. */
import type { ReactNode } from "react";

interface LinkCardProps {
  link: ReactNode;
  /** Stands beside the link, as a warning. */
  state?: string;
  children: ReactNode;
}

export function LinkCard({ link, state, children }: LinkCardProps) {
  return (
    <li className="panel relative p-4 hover:border-edge">
      <div className="flex items-baseline justify-between gap-3">
        <h2 className="title min-w-0 text-lg [overflow-wrap:anywhere] [&>a]:after:absolute [&>a]:after:inset-0 [&>a]:after:rounded-lg">{link}</h2>
        {state && <span className="rounded-full bg-warn-wash px-2 py-0.5 text-xs whitespace-nowrap text-warn">{state}</span>}
      </div>
      {children}
    </li>
  );
}
