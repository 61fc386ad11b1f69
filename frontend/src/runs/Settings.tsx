/** What a run was asked to do: first what differs from the defaults, the rest behind a fold. */
import type { Run } from "../api/types";
import { Section } from "../components/Page";
import { same, type Setting, settingsOf, valueText } from "./settings";
import { useFields } from "./useFields";

export function Settings({ run }: { run: Run }) {
  const fields = useFields(run.kind);
  const all = settingsOf({ ...run.config, seed: run.seed }, fields);
  const chosen = all.filter((one) => one.fallback === undefined || !same(one.value, one.fallback));
  const usual = all.filter((one) => !chosen.includes(one));
  return (
    <Section title="Settings">
      <Rows settings={chosen} />
      {usual.length > 0 && (
        <details className="mt-2">
          <summary className="min-h-8 text-sm font-medium text-accent">{usual.length} more, as they are by default</summary>
          <div className="mt-1"><Rows settings={usual} /></div>
        </details>
      )}
    </Section>
  );
}

function Rows({ settings }: { settings: readonly Setting[] }) {
  return (
    <dl className="panel grid divide-y divide-line text-sm">
      {settings.map(({ path, label, description, value, fallback }) => (
        <div key={path} className="grid gap-x-4 px-3.5 py-1.5 sm:grid-cols-[minmax(10rem,2fr)_3fr]">
          <dt className="text-soft [overflow-wrap:anywhere]" title={path}>{label}{description && <span className="block text-xs text-pretty text-faint">{description}</span>}</dt>
          <dd className="[overflow-wrap:anywhere] whitespace-pre-wrap">
            {valueText(value)}
            {fallback !== undefined && fallback !== null && !same(value, fallback) && <span className="text-faint"> instead of {valueText(fallback)}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
