/** Numbers by name, side by side; what is no number is left to others. */
import { figure } from "../format";

export function Numbers({ values }: { values: Record<string, unknown> }) {
  return (
    <dl className="panel grid grid-cols-2 gap-px overflow-hidden bg-line sm:grid-cols-[repeat(auto-fit,minmax(11rem,1fr))]">
      {Object.entries(values).map(([name, value]) =>
        typeof value === "number" ? (
          <div key={name} className="bg-surface px-4 py-3">
            <dt className="truncate text-sm text-faint" title={name}>{name}</dt>
            <dd className="title text-xl">{figure(value)}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}
