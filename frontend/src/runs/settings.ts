/** The settings of runs as rows: what differs from the defaults, and between two runs. Pure. */
import type { FieldSpec } from "../components/schema";
import { count, figure } from "../format";

export interface Setting {
  path: string;
  label: string;
  description: string;
  value: unknown;
  /** Undefined where there is none. */
  fallback: unknown;
}

/** A config as rows, in the order of its form; what the form does not know comes last. */
export function settingsOf(config: Record<string, unknown>, fields: readonly FieldSpec[]): Setting[] {
  const left = new Map(Object.entries(flat(config, fields)));
  const known = fields.flatMap(({ path, label, unit, description, fallback }) => {
    if (!left.has(path)) return [];
    const value = left.get(path);
    left.delete(path);
    return [{ path, label: unit ? `${label} (${unit})` : label, description, value, fallback }];
  });
  return [...known, ...[...left].map(([path, value]) => ({ path, label: path, description: "", value, fallback: undefined }))];
}

interface Difference extends Pick<Setting, "path" | "label" | "description"> {
  /** Of each config, in the order given; undefined where it has none. */
  values: unknown[];
}

/** In what several configs differ. How the output is called is no difference. */
export function differing(configs: readonly Record<string, unknown>[], fields: readonly FieldSpec[]): Difference[] {
  const all = configs.map((config) => new Map(settingsOf(config, fields).map((one) => [one.path, one])));
  const paths = [...new Set(all.flatMap((one) => [...one.keys()]))].filter((path) => path !== "output_name");
  return paths.flatMap((path) => {
    const values = all.map((one) => one.get(path)?.value);
    const { label, description } = all.find((one) => one.has(path))!.get(path)!;
    return values.every((value) => same(value, values[0])) ? [] : [{ path, label, description, values }];
  });
}

/** Names with dots for what the form asks as fields of their own. */
function flat(config: Record<string, unknown>, fields: readonly FieldSpec[], prefix = ""): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([name, value]) => {
      const path = prefix + name;
      const parted = typeof value === "object" && value !== null && !Array.isArray(value) && fields.some((field) => field.path.startsWith(`${path}.`));
      return parted ? Object.entries(flat(value as Record<string, unknown>, fields, `${path}.`)) : [[path, value]];
    }),
  );
}

export function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}

export function valueText(value: unknown): string {
  if (value === null || value === undefined || value === "" || (Array.isArray(value) && value.length === 0)) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : figure(value);
  if (Array.isArray(value)) return value.map(valueText).join(value.some((one) => typeof one === "object") ? "; " : ", ");
  if (typeof value === "object") return Object.entries(value).filter(([, one]) => one !== null && one !== false).map(([name, one]) => `${name} ${valueText(one)}`).join(", ");
  return String(value);
}
