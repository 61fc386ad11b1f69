/** The frame of what is seen before one is inside: signing in, and following an invitation. */
import type { ReactNode } from "react";
import { Mark } from "./Icon";
import { LanguageChoice } from "./LanguageChoice";

export function Entrance({ title, lead, children }: { title: string; lead?: string; children: ReactNode }) {
  return (
    <main className="grid min-h-dvh place-items-center p-4">
      <div className="w-full max-w-sm">
        <div className="mb-6 flex items-center gap-3">
          <Mark size={34} />
          <div>
            <h1 className="title text-2xl">{title}</h1>
            {lead && <p className="text-soft">{lead}</p>}
          </div>
        </div>
        {children}
        <LanguageChoice className="mt-4" />
      </div>
    </main>
  );
}
