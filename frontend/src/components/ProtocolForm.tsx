/** What a project asks of its annotators, as a form with a preview of the bar that they will see. */
import type { Aspect, Protocol } from "../api/types";
import { grades } from "../annotate/keys";
import { Button, IconButton } from "./Button";
import { Field, Segments } from "./Field";

interface ProtocolFormProps {
  value: Protocol;
  onChange: (value: Protocol) => void;
  errors: Record<string, string>;
}

export function ProtocolForm({ value, onChange, errors }: ProtocolFormProps) {
  const set = (part: Partial<Protocol>) => onChange({ ...value, ...part });
  const setAspect = (at: number, part: Partial<Aspect>) => set({ aspects: value.aspects.map((aspect, i) => (i === at ? { ...aspect, ...part } : aspect)) });
  return (
    <div className="grid gap-5">
      <div className="grid gap-5 sm:grid-cols-2">
        <Field label="Answers in a comparison" hint={value.size === 2 ? "Two: one key judges." : "More than two are ranked by digits, best first."} error={errors["protocol.size"]}>
          {(ids) => (
            <select {...ids} className="field" value={value.size} onChange={(event) => set({ size: Number(event.target.value), ...(Number(event.target.value) > 2 ? { strength_levels: 0 } : {}) })}>
              {[2, 3, 4, 5, 6, 7, 8, 9].map((size) => <option key={size}>{size}</option>)}
            </select>
          )}
        </Field>
        <Field label="How much better" hint={value.size > 2 ? "Only for two answers." : "Each degree is one key more on either side."} error={errors["protocol.strength_levels"]}>
          {(ids) => (
            <select {...ids} className="field" disabled={value.size > 2} value={value.strength_levels} onChange={(event) => set({ strength_levels: Number(event.target.value) })}>
              <option value={0}>Do not ask</option>
              <option value={2}>2 degrees</option>
              <option value={3}>3 degrees</option>
              <option value={4}>4 degrees</option>
            </select>
          )}
        </Field>
      </div>
      <div className="grid gap-2">
        <Check label="A tie is an answer" hint="Without it, people have to prefer one even where they see no difference." checked={value.allow_tie} onChange={(allow_tie) => set({ allow_tie })} />
        <Check label="“None acceptable” is an answer" hint="For comparisons where every answer is wrong, harmful or unreadable." checked={value.allow_none_acceptable} onChange={(allow_none_acceptable) => set({ allow_none_acceptable })} />
      </div>
      <div>
        <p className="mb-1 font-medium" id="comment-label">Comment</p>
        <Segments label="Comment" value={value.comment} onChange={(comment) => set({ comment })} options={[{ value: "off", label: "Off" }, { value: "optional", label: "Optional" }, { value: "required", label: "Required" }]} />
      </div>
      <fieldset>
        <legend className="mb-1 font-medium">Aspects <span className="font-normal text-faint">(optional questions besides the ranking)</span></legend>
        {errors["protocol.aspects"] && <p className="mb-1 text-sm text-danger">{errors["protocol.aspects"]}</p>}
        <div className="grid gap-2">
          {value.aspects.map((aspect, at) => (
            <div key={at} className="flex gap-2">
              <input aria-label={`Name of aspect ${at + 1}`} className="field max-w-44" placeholder="Truthful" value={aspect.name} maxLength={80} onChange={(event) => setAspect(at, { name: event.target.value })} />
              <input aria-label={`Definition of aspect ${at + 1}`} className="field min-w-0 flex-1" placeholder="Which answer makes fewer false statements?" value={aspect.definition ?? ""} onChange={(event) => setAspect(at, { definition: event.target.value })} />
              <IconButton icon="close" label={`Remove aspect ${at + 1}`} onClick={() => set({ aspects: value.aspects.filter((_, i) => i !== at) })} />
            </div>
          ))}
          <Button icon="plus" look="quiet" className="justify-self-start" disabled={value.aspects.length >= 10} onClick={() => set({ aspects: [...value.aspects, { name: "", definition: "" }] })}>Add an aspect</Button>
        </div>
      </fieldset>
      <Preview protocol={value} />
    </div>
  );
}

export function Check({ label, hint, checked, onChange }: { label: string; hint?: string; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label className="flex cursor-pointer items-start gap-2.5">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} className="mt-1 size-4" />
      <span>
        {label}
        {hint && <span className="block text-sm text-faint">{hint}</span>}
      </span>
    </label>
  );
}

function Preview({ protocol }: { protocol: Protocol }) {
  const labels =
    protocol.size > 2
      ? Array.from({ length: protocol.size }, (_, at) => String(at + 1))
      : protocol.strength_levels > 0
        ? grades(protocol.strength_levels, protocol.allow_tie).map((grade, at) => `${at + 1} ${grade.label}`)
        : ["A is better", ...(protocol.allow_tie ? ["Tie"] : []), "B is better"];
  return (
    <div className="rounded-md bg-sunken px-3 py-2.5">
      <p className="mb-1.5 text-xs text-faint">What annotators choose from</p>
      <p className="flex flex-wrap gap-1.5">
        {[...labels, ...(protocol.size > 2 && protocol.allow_tie ? ["Tie with last", "Rest equal"] : []), ...(protocol.allow_none_acceptable ? ["None acceptable"] : []), "Skip"].map((label) => (
          <span key={label} className="rounded-sm border border-line bg-surface px-2 py-0.5 text-sm">{label}</span>
        ))}
      </p>
    </div>
  );
}
