/** The form of a run's config, drawn from its JSON schema: what matters most first, the rest under titles behind one fold. */
import { type ReactNode, useState } from "react";
import { count, plural } from "../format";
import { Check, Field, type FieldIds } from "./Field";
import { boundsText, type FieldSpec, type Raw } from "./schema";

export interface Choice {
  value: string;
  label: string;
}

interface SchemaFormProps {
  first: readonly FieldSpec[];
  rest: readonly { title: string; fields: readonly FieldSpec[] }[];
  values: Readonly<Record<string, Raw>>;
  onChange: (path: string, value: Raw) => void;
  errors: Readonly<Record<string, string>>;
  /** What to offer for fields that name something registered; undefined while it is loading. */
  offers: Readonly<Record<string, Choice[] | undefined>>;
  /** What a choice has brought with it, told at its field. */
  note: { path: string; text: string } | null;
}

export function SchemaForm({ first, rest, values, onChange, errors, offers, note }: SchemaFormProps) {
  const [open, setOpen] = useState(false);
  const hidden = rest.flatMap((group) => group.fields);
  const changed = hidden.filter((field) => isChanged(field, values[field.path] ?? "")).length;
  const wrong = hidden.some((field) => errors[field.path]);
  const draw = (field: FieldSpec) => <Input key={field.path} field={field} value={values[field.path] ?? ""} onChange={(value) => onChange(field.path, value)} error={errors[field.path]} note={note?.path === field.path ? note.text : undefined} offers={field.source ? offers[field.source] : undefined} offered={field.source !== null && field.source in offers} />;
  return (
    <>
      <div className={GRID}>{first.map(draw)}</div>
      {hidden.length > 0 && (
        <details className="mt-5 border-t border-line pt-3" open={open || wrong} onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary className="min-h-9 font-medium text-accent">{plural(hidden.length, "more setting")}, {changed === 0 ? "as they are by default" : `${count(changed)} of them changed`}</summary>
          {rest.map(({ title, fields }) => (
            <fieldset key={title} className="mt-3 border-t border-line pt-2 first-of-type:border-0 first-of-type:pt-0">
              <legend className="title float-left mb-3 w-full text-md">{title}</legend>
              <div className={`clear-both ${GRID}`}>{fields.map(draw)}</div>
            </fieldset>
          ))}
        </details>
      )}
    </>
  );
}

const GRID = "grid gap-x-6 gap-y-5 md:grid-cols-2";

interface InputProps {
  field: FieldSpec;
  value: Raw;
  onChange: (value: Raw) => void;
  error: string | undefined;
  note: string | undefined;
  offers: Choice[] | undefined;
  offered: boolean;
}

function Input({ field, value, onChange, error, note, offers, offered }: InputProps) {
  const bounds = boundsText(field.bounds);
  const fallback = fallbackOf(field);
  const hint: ReactNode = (
    <>
      {field.description}
      {bounds && <> <span className="inline-block">({bounds})</span></>}
      {fallback !== null && isChanged(field, value) && (
        <button type="button" className="link ml-1.5" onClick={() => onChange(Array.isArray(field.fallback) ? field.fallback.map(String) : typeof field.fallback === "boolean" ? field.fallback : fallback)}>
          Back to {fallback === "" || fallback === "[]" ? "empty" : fallback}
        </button>
      )}
      {note && <span className="block font-medium text-accent">{note}</span>}
    </>
  );
  if (field.type === "boolean") {
    return (
      <div>
        <Check label={field.label} checked={value === true} onChange={onChange} />
        <p className="mt-0.5 ml-6.5 text-sm text-faint">{hint}</p>
        {error && <p className="ml-6.5 text-sm text-danger">{error}</p>}
      </div>
    );
  }
  if (field.type === "list" && offered) return <Many field={field} value={value} onChange={onChange} error={error} offers={offers} hint={hint} />;
  return (
    <Field label={field.unit ? <>{field.label} <span className="font-normal text-faint">({field.unit})</span></> : field.label} hint={hint} error={error} optional={field.nullable && !field.required}>
      {(ids) => <Control ids={ids} field={field} value={value} onChange={onChange} offers={offers} offered={offered} />}
    </Field>
  );
}

/** The default as it stands in the form; null where there is none. */
function fallbackOf(field: FieldSpec): string | null {
  return field.type === "json" ? written(field.fallback) : shown(field.fallback);
}

function isChanged(field: FieldSpec, value: Raw): boolean {
  const fallback = fallbackOf(field);
  return fallback !== null && !field.required && shown(value) !== fallback;
}

/** As it stands in the form, where it is written as JSON. */
function written(value: unknown): string | null {
  return value === undefined ? null : value === null ? "" : JSON.stringify(value);
}

function shown(value: unknown): string | null {
  if (value === undefined) return null;
  if (value === null) return "";
  return typeof value === "string" ? value : Array.isArray(value) ? value.join(", ") : String(value);
}

function Control({ ids, field, value, onChange, offers, offered }: Omit<InputProps, "error" | "note"> & { ids: FieldIds }) {
  const text = typeof value === "string" ? value : Array.isArray(value) ? value.join("\n") : "";
  if (offered) {
    return (
      <select {...ids} className="field" value={text} onChange={(event) => onChange(event.target.value)}>
        <option value="">{offers === undefined ? "Loading …" : field.nullable ? "None" : offers.length === 0 ? "There is none yet" : "Choose …"}</option>
        {offers?.map((offer) => <option key={offer.value} value={offer.value}>{offer.label}</option>)}
        {text !== "" && offers?.every((offer) => offer.value !== text) && <option value={text}>{text}</option>}
      </select>
    );
  }
  switch (field.type) {
    case "choice":
      return (
        <select {...ids} className="field" value={text} onChange={(event) => onChange(event.target.value)}>
          {(field.nullable || text === "") && <option value="">{field.nullable ? "None" : "Choose …"}</option>}
          {field.choices.map((choice) => <option key={choice} value={choice}>{choice.replaceAll("_", " ")}</option>)}
        </select>
      );
    case "list":
      return <textarea {...ids} className="field min-h-20" placeholder="One a line" value={text} onChange={(event) => onChange(event.target.value.split("\n"))} />;
    case "json":
      return <textarea {...ids} className="field min-h-20 font-mono text-sm" placeholder={field.example ?? undefined} value={text === "[]" ? "" : text} onChange={(event) => onChange(event.target.value)} />;
    default:
      return (
        <input
          {...ids}
          className="field"
          type="text"
          inputMode={field.type === "integer" ? "numeric" : field.type === "number" ? "decimal" : undefined}
          autoComplete="off"
          spellCheck={false}
          placeholder={field.nullable && field.type !== "text" ? "empty" : undefined}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      );
  }
}

function Many({ field, value, onChange, error, offers, hint }: Omit<InputProps, "offered" | "note"> & { hint: ReactNode }) {
  const chosen = Array.isArray(value) ? value : [];
  return (
    <fieldset className="md:col-span-2">
      <legend className="mb-1 font-medium">{field.label}</legend>
      <p className="mb-1.5 text-sm text-faint">{hint}</p>
      {error && <p className="mb-1.5 text-sm text-danger">{error}</p>}
      <div className="grid gap-1 sm:grid-cols-2">
        {offers?.map((offer) => (
          <Check key={offer.value} label={offer.label} checked={chosen.includes(offer.value)} onChange={(on) => onChange(on ? [...chosen, offer.value] : chosen.filter((one) => one !== offer.value))} />
        ))}
        {offers?.length === 0 && <p className="text-soft">There is none yet.</p>}
      </div>
    </fieldset>
  );
}
