/** What the layout of a form makes of its fields: what is open, what stands under which title, what goes with what. Pure. */
import type { RunKind } from "../api/types";
import { type FieldSpec, type Raw, rawOf } from "../components/schema";

export type Layout = RunKind["form"];

export interface FormGroup {
  title: string;
  fields: FieldSpec[];
}

/** Whether a field belongs to a name of the layout: `guard` stands for `guard.action` and its like. */
const within = (name: string) => (field: FieldSpec) => field.path === name || field.path.startsWith(`${name}.`);

/** The fields that are always open, and the others under their titles. */
export function groupsOf(fields: readonly FieldSpec[], layout: Layout): { first: FieldSpec[]; rest: FormGroup[] } {
  const named = (names: readonly string[]) => names.flatMap((name) => fields.filter(within(name)));
  // What has to be given is always open.
  const first = [...new Set([...named(layout.first), ...fields.filter((field) => field.required)])];
  const grouped = Object.entries(layout.groups).map(([title, names]) => ({ title, fields: named(names).filter((field) => !first.includes(field)) }));
  const placed = new Set([...first, ...grouped.flatMap((group) => group.fields)]);
  const others = { title: "Further settings", fields: fields.filter((field) => !placed.has(field)) };
  return { first, rest: [others, ...grouped].filter((group) => group.fields.length > 0) };
}

/** Whether a field matters as the others stand. */
export function matters(path: string, values: Readonly<Record<string, Raw>>, layout: Layout): boolean {
  return Object.entries(layout.only[path] ?? {}).every(([other, wanted]) => {
    const value = values[other];
    return wanted.includes(value === "" || value === undefined ? null : String(value));
  });
}

/**
 * The values after one field changed: what goes with its new value is set, and what went with the old one is taken back
 * unless somebody has changed it since. Also which fields that moved.
 */
export function changed(fields: readonly FieldSpec[], values: Readonly<Record<string, Raw>>, path: string, value: Raw, layout: Layout): { values: Record<string, Raw>; moved: string[] } {
  const next = { ...values, [path]: value };
  const rules = layout.sets[path] ?? {};
  const moved: string[] = [];
  for (const [name, set] of Object.entries(rules[String(values[path])] ?? {})) {
    const field = fields.find((one) => one.path === name);
    if (field && next[name] === String(set)) {
      next[name] = rawOf(field.fallback, field);
      moved.push(name);
    }
  }
  for (const [name, set] of Object.entries(rules[String(value)] ?? {})) {
    if (next[name] !== String(set)) moved.push(name);
    next[name] = String(set);
  }
  return { values: next, moved: [...new Set(moved)].filter((name) => next[name] !== values[name]) };
}
