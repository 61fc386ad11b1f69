/**
 * From the JSON schema of a config to the fields of a form, and from what was typed back to a config. Pure.
 *
 * What was typed is kept as text until it is sent, so that a half-typed number is neither lost nor sent.
 */
import { fieldName, figure } from "../format";

export interface JsonSchema {
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  allOf?: JsonSchema[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
  examples?: unknown[];
  "x-podium"?: string;
}

export interface FieldSpec {
  /** Dotted path inside the config. */
  path: string;
  label: string;
  unit: string | null;
  description: string;
  type: "number" | "integer" | "text" | "boolean" | "choice" | "list" | "json";
  required: boolean;
  /** An empty field is sent as null. */
  nullable: boolean;
  fallback: unknown;
  choices: string[];
  /** One way to fill it, as JSON. */
  example: string | null;
  /** What registered things to offer: model, checkpoint, reward_set, output_name … */
  source: string | null;
  bounds: Bounds;
}

interface Bounds {
  min?: number;
  max?: number;
  above?: number;
  below?: number;
  step?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
}

/** What stands in the form: text for most, a tick, or the chosen of a list. */
export type Raw = string | boolean | string[];

function resolve(schema: JsonSchema, root: JsonSchema): JsonSchema {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1) ?? "";
    const { $ref: _, ...rest } = schema;
    return { ...resolve(root.$defs?.[name] ?? {}, root), ...rest };
  }
  if (schema.allOf?.length === 1) {
    const { allOf, ...rest } = schema;
    return { ...resolve(allOf[0]!, root), ...rest };
  }
  return schema;
}

/** Takes “or null” out of a union. */
function withoutNull(schema: JsonSchema, root: JsonSchema): [JsonSchema, boolean] {
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    return [{ ...schema, type: types.length === 1 ? types[0] : types }, types.length < schema.type.length];
  }
  const union = schema.anyOf ?? schema.oneOf;
  if (!union) return [schema, false];
  const others = union.map((one) => resolve(one, root)).filter((one) => one.type !== "null");
  const nullable = others.length < union.length;
  const { anyOf: _, oneOf: __, ...rest } = schema;
  if (others.length === 1) return [{ ...others[0], ...rest }, nullable];
  return [schema, nullable];
}

export function fieldsOf(root: JsonSchema, schema: JsonSchema = root, prefix = ""): FieldSpec[] {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).flatMap(([name, given]) => {
    const [inner, nullable] = withoutNull(resolve(given, root), root);
    const path = prefix + name;
    if (inner.type === "object" && inner.properties && !nullable) return fieldsOf(root, inner, `${path}.`);
    const [label, unit] = fieldName(name);
    const type = typeOf(inner);
    return [
      {
        path,
        label: prefix === "" ? label : `${fieldName(prefix.slice(0, -1))[0]}: ${label.toLowerCase()}`,
        unit,
        description: inner.description ?? "",
        type,
        required: required.has(name),
        nullable,
        fallback: given.default !== undefined ? given.default : inner.default,
        example: inner.examples?.[0] === undefined ? null : JSON.stringify(inner.examples[0]),
        choices: choicesOf(type === "list" ? resolve(inner.items ?? {}, root) : inner),
        source: inner["x-podium"] ?? inner.items?.["x-podium"] ?? null,
        bounds: boundsOf(inner),
      },
    ];
  });
}

function typeOf(schema: JsonSchema): FieldSpec["type"] {
  if (choicesOf(schema).length > 0) return "choice";
  switch (schema.type) {
    case "integer":
    case "number":
    case "boolean":
      return schema.type;
    case "string":
      return "text";
    case "array":
      return schema.items?.type === "string" || schema.items?.enum || schema.items?.["x-podium"] || schema["x-podium"] ? "list" : "json";
    default:
      return "json";
  }
}

function choicesOf(schema: JsonSchema): string[] {
  if (schema.enum) return schema.enum.filter((one) => one !== null).map(String);
  return schema.const === undefined ? [] : [String(schema.const)];
}

function boundsOf(schema: JsonSchema): Bounds {
  return {
    min: schema.minimum,
    max: schema.maximum,
    above: schema.exclusiveMinimum,
    below: schema.exclusiveMaximum,
    step: schema.multipleOf,
    minLength: schema.minLength,
    maxLength: schema.maxLength,
    pattern: schema.pattern,
    minItems: schema.minItems,
    maxItems: schema.maxItems,
  };
}

/** “1 to 64”, “more than 0, at most 1”, or null where anything goes. */
export function boundsText({ min, max, above, below }: Bounds): string | null {
  if (min !== undefined && max !== undefined) return `${bound(min)} to ${bound(max)}`;
  const parts = [
    min === undefined ? null : `at least ${bound(min)}`,
    above === undefined ? null : `more than ${bound(above)}`,
    max === undefined ? null : `at most ${bound(max)}`,
    below === undefined ? null : `less than ${bound(below)}`,
  ].filter((part) => part !== null);
  return parts.length > 0 ? parts.join(", ") : null;
}

function bound(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e4 ? String(value) : figure(value);
}

export function rawOf(value: unknown, field: FieldSpec): Raw {
  if (field.type === "boolean") return value === true;
  if (field.type === "list") return Array.isArray(value) ? value.map(String) : [];
  if (value === null || value === undefined) return "";
  return field.type === "json" ? JSON.stringify(value) : String(value);
}

export function startValues(fields: readonly FieldSpec[], config: Record<string, unknown> = {}): Record<string, Raw> {
  return Object.fromEntries(fields.map((field) => [field.path, rawOf(at(config, field.path) ?? field.fallback, field)]));
}

function at(config: Record<string, unknown>, path: string): unknown {
  let value: unknown = config;
  for (const part of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

interface Parsed {
  value?: unknown;
  error?: string;
}

/** What was typed, as the value to send, or what is wrong with it. */
export function parse(field: FieldSpec, raw: Raw): Parsed {
  if (typeof raw === "boolean") return { value: raw };
  if (Array.isArray(raw)) return parseList(field, raw);
  const text = field.type === "text" ? raw : raw.trim();
  if (text.trim() === "") {
    if (field.nullable) return { value: null };
    if (field.type === "json" && Array.isArray(field.fallback)) return { value: [] };
    return field.required || field.type !== "text" ? { error: "This has to be given." } : { value: "" };
  }
  switch (field.type) {
    case "integer":
    case "number":
      return parseNumber(field, text);
    case "json":
      try {
        return { value: JSON.parse(text) as unknown };
      } catch {
        return { error: "This is not valid JSON." };
      }
    case "choice": {
      const typed = field.choices.includes(text);
      return typed ? { value: text } : { error: `Choose one of ${field.choices.join(", ")}.` };
    }
    default:
      return parseText(field, text);
  }
}

function parseList(field: FieldSpec, raw: string[]): Parsed {
  const value = raw.map((item) => item.trim()).filter((item) => item !== "");
  const { minItems = 0, maxItems = Infinity } = field.bounds;
  if (value.length === 0 && field.nullable) return { value: null };
  if (value.length < minItems) return { error: minItems === 1 ? "Choose at least one." : `Choose at least ${minItems}.` };
  if (value.length > maxItems) return { error: `At most ${maxItems} can be chosen.` };
  return { value };
}

function parseText(field: FieldSpec, text: string): Parsed {
  const { minLength = 0, maxLength = Infinity, pattern } = field.bounds;
  if (text.length < minLength) return { error: `At least ${minLength} characters.` };
  if (text.length > maxLength) return { error: `At most ${maxLength} characters.` };
  if (pattern && !new RegExp(pattern, "u").test(text)) {
    return { error: pattern.includes("/") ? "Write it as namespace/name, of letters, digits, dots, dashes and underscores." : `This does not fit the pattern ${pattern}.` };
  }
  return { value: text };
}

function parseNumber(field: FieldSpec, text: string): Parsed {
  const value = Number(text);
  const { min, max, above, below, step } = field.bounds;
  if (!Number.isFinite(value)) return { error: "This is not a number." };
  if (field.type === "integer" && !Number.isInteger(value)) return { error: "This has to be a whole number." };
  if ((min !== undefined && value < min) || (max !== undefined && value > max) || (above !== undefined && value <= above) || (below !== undefined && value >= below)) {
    return { error: `This has to be ${boundsText(field.bounds)?.replace(/^(-?[\d.,e-]+) to /, "from $1 to ")}.` };
  }
  if (step !== undefined && Math.abs(value / step - Math.round(value / step)) > 1e-9) return { error: `This has to be a multiple of ${step}.` };
  return { value };
}

export interface Checked {
  config: Record<string, unknown>;
  errors: Record<string, string>;
}

/** The config to send: everything that is required or differs from its default; the server fills in the rest. */
export function check(fields: readonly FieldSpec[], raw: Readonly<Record<string, Raw>>): Checked {
  const config: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const { value, error } = parse(field, raw[field.path] ?? "");
    if (error !== undefined) errors[field.path] = error;
    else if (field.required || JSON.stringify(value) !== JSON.stringify(field.fallback)) put(config, field.path, value);
  }
  return { config, errors };
}

function put(config: Record<string, unknown>, path: string, value: unknown): void {
  const parts = path.split(".");
  const last = parts.pop()!;
  let place = config;
  for (const part of parts) place = (place[part] ??= {}) as Record<string, unknown>;
  place[last] = value;
}

/** The server names fields from the root of the request: `config.learning_rate`, or `config.models.0`. */
export function serverErrors(errors: Readonly<Record<string, string>>, fields: readonly FieldSpec[]): { known: Record<string, string>; other: string[] } {
  const known: Record<string, string> = {};
  const other: string[] = [];
  for (const [path, message] of Object.entries(errors)) {
    const inside = path.replace(/^(?:body\.)?config\./, "");
    const field = fields.find((one) => inside === one.path || inside.startsWith(`${one.path}.`));
    if (field) known[field.path] = message;
    else other.push(message);
  }
  return { known, other };
}
