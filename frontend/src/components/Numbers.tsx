/** Numbers by name, side by side; what is no number is left to others. */
import { fieldName, figure } from "../format";

export function Numbers({ values }: { values: Record<string, unknown> }) {
  return (
    <dl className="panel grid grid-cols-2 overflow-hidden sm:grid-cols-[repeat(auto-fit,minmax(11rem,1fr))]">
      {Object.entries(values).map(([name, value]) =>
        typeof value === "number" ? (
          <div key={name} className="-mr-px -mb-px border-r border-b border-line px-4 py-3">
            <dt className="text-sm text-faint [overflow-wrap:anywhere]" title={name}>{spoken(name)}</dt>
            <dd className="title text-xl">{figure(value)}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}

function spoken(name: string): string {
  const [label, unit] = fieldName(name.replaceAll("/", "_"));
  return unit ? `${label} (${unit})` : label;
}
