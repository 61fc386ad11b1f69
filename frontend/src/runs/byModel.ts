/** Results that are told of several models (`metric:model`), or before and after (`start/metric`, `end/metric`), as a
 * table. Pure. */
import type { Rows } from "../components/rows";

export interface ByModel {
  models: string[];
  metrics: { name: string; values: (number | null)[] }[];
}

export const WHEN = ["start", "end"];

/** What models are judged by comes first. */
const FIRST = ["score", "score_mean", "kl_base_per_seq_nats", "kl_reference_per_seq_nats", "length_mean"];

function rank(name: string): number {
  return FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length;
}

/** Those that have a column in the table, and the others. order: of the models. */
export function byModel(values: Record<string, unknown>, order: readonly string[] = []): [ByModel, Record<string, unknown>] {
  const models: string[] = [];
  const found = new Map<string, Map<string, number | null>>();
  const others: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    const place = placeOf(key);
    if (place === null || (typeof value !== "number" && value !== null)) {
      others[key] = value;
      continue;
    }
    const [name, model] = place;
    if (!models.includes(model)) models.push(model);
    found.set(name, (found.get(name) ?? new Map<string, number | null>()).set(model, value));
  }
  const known = [...order, ...WHEN];
  models.sort((one, other) => known.indexOf(one) - known.indexOf(other));
  const metrics = [...found].map(([name, of]) => ({ name, values: models.map((model) => of.get(model) ?? null) })).toSorted((one, other) => rank(one.name) - rank(other.name) || one.name.localeCompare(other.name));
  return [{ models, metrics }, others];
}

function placeOf(key: string): [name: string, column: string] | null {
  const cut = key.indexOf(":");
  if (cut !== -1) return [key.slice(0, cut).replace(/^evaluate\//, ""), key.slice(cut + 1)];
  const when = WHEN.find((one) => key.startsWith(`${one}/`));
  return when === undefined ? null : [key.slice(when.length + 1), when];
}

export function rowsOf({ models, metrics }: ByModel): Rows {
  return { columns: ["metric", ...models], rows: metrics.map(({ name, values }) => [name, ...values]) };
}
