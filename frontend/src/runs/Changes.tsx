/** In what a run that is about to start differs from the earlier one whose settings it took over. */
import { Link } from "@tanstack/react-router";
import type { Run } from "../api/types";
import type { FieldSpec } from "../components/schema";
import { same, settingsOf, valueText } from "./settings";

interface ChangesProps {
  earlier: Run;
  fields: readonly FieldSpec[];
  /** Configs without what is as by default. */
  before: Record<string, unknown>;
  now: Record<string, unknown>;
}

export function Changes({ earlier, fields, before, now }: ChangesProps) {
  const [old, next] = [valuesOf(before, fields), valuesOf(now, fields)];
  const moved = fields.filter(({ path }) => !same(old.get(path), next.get(path)));
  return (
    <section aria-label="Changes" className="rounded-lg border-l-4 border-accent bg-accent-wash px-4 py-3">
      <p>The settings of <Link to="/runs/$run" params={{ run: earlier.id }} className="link [overflow-wrap:anywhere]">{earlier.name}</Link>{moved.length === 0 ? "; nothing is changed yet. With the same seed it gives the same again." : ", with these changes:"}</p>
      {moved.length > 0 && <ul className="mt-1 list-disc pl-5">{moved.map(({ path, label }) => <li key={path}>{label}: {valueText(old.get(path))} → {valueText(next.get(path))}</li>)}</ul>}
    </section>
  );
}

function valuesOf(config: Record<string, unknown>, fields: readonly FieldSpec[]): Map<string, unknown> {
  const given = new Map(settingsOf(config, fields).map((one) => [one.path, one.value]));
  return new Map(fields.map(({ path, fallback }) => [path, given.has(path) ? given.get(path) : fallback]));
}
