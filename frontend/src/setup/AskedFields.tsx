/** What a project asks of its annotators at every comparison: the protocol as fields. */
import type { Aspect, Protocol } from "../api/types";
import { Button, IconButton } from "../components/Button";
import { Check, Field, Segments } from "../components/Field";
import { withSize } from "./draft";

interface AskedProps {
  value: Protocol;
  onChange: (value: Protocol) => void;
  errors: Record<string, string>;
  /** There are judgments: how many answers are compared cannot change any more. */
  judged: boolean;
}

const SIZES = [2, 3, 4, 5, 6, 7, 8, 9];

export function AskedFields({ value, onChange, errors, judged }: AskedProps) {
  const set = (part: Partial<Protocol>) => onChange({ ...value, ...part });
  const ranked = value.size > 2;
  const deepest = value.size - 2;
  return (
    <div className="grid gap-5">
      <div className="grid gap-5 sm:grid-cols-2">
        <Field label="Answers in a comparison" hint={judged ? "Stays, for there are judgments already." : ranked ? "Ranked by digits, best first." : "Two: one key judges."} error={errors["protocol.size"]}>
          {(ids) => (
            <select {...ids} className="field" disabled={judged} value={value.size} onChange={(event) => onChange(withSize(value, Number(event.target.value)))}>
              {SIZES.map((size) => <option key={size}>{size}</option>)}
            </select>
          )}
        </Field>
        {ranked ? (
          <Field label="Rank how many" hint="The rest share the last place." error={errors["protocol.top"]}>
            {(ids) => (
              <select {...ids} className="field" value={value.top ?? ""} onChange={(event) => set({ top: event.target.value === "" ? null : Number(event.target.value) })}>
                <option value="">All of them</option>
                {Array.from({ length: deepest }, (_, at) => <option key={at} value={at + 1}>{at === 0 ? "The best one" : `The best ${at + 1}`}</option>)}
              </select>
            )}
          </Field>
        ) : (
          <Field label="How much better" hint="Each degree is one key more on either side." error={errors["protocol.strength_levels"]}>
            {(ids) => (
              <select {...ids} className="field" value={value.strength_levels} onChange={(event) => set({ strength_levels: Number(event.target.value) })}>
                <option value={0}>Do not ask</option>
                <option value={2}>2 degrees</option>
                <option value={3}>3 degrees</option>
                <option value={4}>4 degrees</option>
              </select>
            )}
          </Field>
        )}
      </div>
      <div className="grid gap-2.5">
        <Check label="A tie is an answer" hint="Without it, people have to prefer one even where they see no difference." checked={value.allow_tie} onChange={(allow_tie) => set({ allow_tie })} />
        <Check label="“None acceptable” is an answer" hint="For comparisons where every answer is wrong, harmful or unreadable." checked={value.allow_none_acceptable} onChange={(allow_none_acceptable) => set({ allow_none_acceptable })} />
      </div>
      <Aspects value={value.aspects} onChange={(aspects) => set({ aspects })} errors={errors} />
      <div>
        <p className="mb-1 font-medium">Comment</p>
        <Segments label="Comment" value={value.comment} onChange={(comment) => set({ comment })} options={[{ value: "off", label: "Off" }, { value: "optional", label: "Optional" }, { value: "required", label: "Required" }]} />
        {value.comment === "required" && <p className="mt-1 text-sm text-faint">No judgment is sent without one: slower, and worth it where the reasons matter.</p>}
      </div>
      <div className="grid gap-2.5">
        <Check label="The ideal answer may be written" hint="Kept as a demonstration, which supervised fine-tuning learns from." checked={value.ideal_answer === "optional"} onChange={(on) => set({ ideal_answer: on ? "optional" : "off" })} />
        <Check label="Passages may be marked with a remark" hint="To show which words are false, harmful or good." checked={value.spans} onChange={(spans) => set({ spans })} />
      </div>
    </div>
  );
}

function Aspects({ value, onChange, errors }: { value: readonly Aspect[]; onChange: (value: Aspect[]) => void; errors: Record<string, string> }) {
  const set = (at: number, part: Partial<Aspect>) => onChange(value.map((aspect, i) => (i === at ? { ...aspect, ...part } : aspect)));
  return (
    <fieldset>
      <legend className="mb-1 font-medium">Aspects <span className="font-normal text-faint">(questions of their own besides the ranking)</span></legend>
      {errors["protocol.aspects"] && <p className="mb-1 text-sm text-danger">{errors["protocol.aspects"]}</p>}
      <div className="grid gap-2">
        {value.map((aspect, at) => {
          const error = errors[`protocol.aspects.${at}.name`];
          return (
            <div key={at}>
              <div className="flex flex-wrap gap-2">
                <input aria-label={`Name of aspect ${at + 1}`} aria-invalid={error ? true : undefined} aria-describedby={error ? `aspect-${at}-error` : undefined} className="field min-w-0 flex-1 basis-28 sm:max-w-40" placeholder="Truthful" value={aspect.name} maxLength={80} onChange={(event) => set(at, { name: event.target.value })} />
                <IconButton icon="close" label={`Remove aspect ${at + 1}`} className="sm:order-1" onClick={() => onChange(value.filter((_, i) => i !== at))} />
                <input aria-label={`Definition of aspect ${at + 1}`} className="field min-w-0 flex-1 basis-52" placeholder="Which answer makes fewer false statements?" maxLength={2000} value={aspect.definition} onChange={(event) => set(at, { definition: event.target.value })} />
              </div>
              {error && <p id={`aspect-${at}-error`} className="mt-1 text-sm text-danger">{error}</p>}
            </div>
          );
        })}
        <Button icon="plus" look="quiet" className="justify-self-start" disabled={value.length >= 10} onClick={() => onChange([...value, { name: "", definition: "" }])}>Add an aspect</Button>
      </div>
    </fieldset>
  );
}
