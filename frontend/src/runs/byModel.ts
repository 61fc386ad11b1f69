/** Results of an evaluation, which are named `metric:model`, as a table. Pure. */
import type { Rows } from "../components/rows";

export interface ByModel {
  models: string[];
  metrics: { name: string; values: (number | null)[] }[];
}

/** Those that are of a model, and the others. Models stand in the order in which they are first told. */
export function byModel(values: Record<string, unknown>): [ByModel, Record<string, unknown>] {
  const models: string[] = [];
  const found = new Map<string, Map<string, number | null>>();
  const others: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(values)) {
    const cut = key.indexOf(":");
    if (cut === -1 || (typeof value !== "number" && value !== null)) {
      others[key] = value;
      continue;
    }
    const model = key.slice(cut + 1);
    if (!models.includes(model)) models.push(model);
    const name = key.slice(0, cut).replace(/^evaluate\//, "");
    found.set(name, (found.get(name) ?? new Map<string, number | null>()).set(model, value));
  }
  const metrics = [...found].map(([name, of]) => ({ name, values: models.map((model) => of.get(model) ?? null) })).toSorted((one, other) => one.name.localeCompare(other.name));
  return [{ models, metrics }, others];
}

export function rowsOf({ models, metrics }: ByModel): Rows {
  return { columns: ["metric", ...models], rows: metrics.map(({ name, values }) => [name, ...values]) };
}
