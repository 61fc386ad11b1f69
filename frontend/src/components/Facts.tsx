/** A few numbers in a row, each with what it means in its tooltip. */
import type { ReactNode } from "react";

export function Facts({ children, className }: { children: ReactNode; className?: string }) {
  return <dl className={`flex flex-wrap gap-x-8 gap-y-2 ${className ?? ""}`}>{children}</dl>;
}

export function Fact({ name, value, hint }: { name: string; value: ReactNode; hint?: string }) {
  return (
    <div title={hint}>
      <dt className="text-sm text-faint">{name}</dt>
      <dd className="title text-lg">{value}</dd>
    </div>
  );
}
