/** How comparisons are handed out: how often, to whom, with what mixed in, and what annotators may see of each other. */
import { Check, Field } from "../components/Field";
import type { Draft } from "./draft";

interface HandingProps {
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  errors: Record<string, string>;
}

/** Fields that hold a number as text. */
type Numeric = "overlap" | "lease_minutes" | "gold_share" | "repeat_share" | "random_share" | "qualification_share" | "skips_to_retire" | "target_error";

export function HandingFields({ draft, onChange, errors }: HandingProps) {
  const number = (name: Numeric, label: string, hint: string, placeholder?: string) => (
    <Field label={label} hint={hint} error={errors[name]}>
      {(ids) => <input {...ids} className="field" inputMode="decimal" autoComplete="off" placeholder={placeholder} value={draft[name]} onChange={(event) => onChange({ [name]: event.target.value })} />}
    </Field>
  );
  return (
    <div className="grid gap-5">
      <div className="grid items-start gap-5 sm:grid-cols-2">
        {number("overlap", "Judgments wanted of each comparison", "By different people. One covers most ground; three show how far people agree. With a precision to stop at, this is the most.")}
        {number("target_error", "Stop when a rating is known to (± Elo points)", "A standard error: 95% of true values lie within twice that. Of two answers, one vote leaves ±102, four split evenly ±71, eight ±55; if all agree, eight leave ±74. Nothing is asked beyond the number of judgments above. Empty: all of them.", "never")}
        {number("lease_minutes", "Kept for one person (minutes)", "Open pages renew it; a closed one gives it back.")}
        {number("repeat_share", "Repeats (%)", "Shown to the same person again with the sides swapped, to measure self-consistency.")}
        {number("random_share", "Drawn at random (%)", "By chance, and not because they would teach most: keeps the estimates honest.")}
        {number("gold_share", "Known answers mixed in (%)", "They look like any other, and show who reads with care. Chosen on the page “Gold”.")}
        {number("qualification_share", "Right answers to qualify (%)", "Counts where the project has a qualification test.")}
        {number("skips_to_retire", "Put aside after so many skips", "Then nobody gets it until you settle it. Empty: others always get it.", "never")}
      </div>
      <Mixture draft={draft} />
      <Field label="Phrases to hide" optional hint="One a line, where texts would tell who wrote them. Case is ignored; * stands for up to 40 characters: “as a model by *,”." error={errors["masks"]}>
        {(ids) => <textarea {...ids} className="field min-h-20 font-mono text-sm" value={draft.masks} onChange={(event) => onChange({ masks: event.target.value })} />}
      </Field>
      <Check label="Annotators see a ranking of people" hint="By number of judgments. It rewards haste; leave it off where answers matter more than numbers." checked={draft.people_ranking} onChange={(people_ranking) => onChange({ people_ranking })} />
    </div>
  );
}

/** The shares in plain numbers. */
function Mixture({ draft }: { draft: Draft }) {
  const gold = Number(draft.gold_share);
  const repeats = Number(draft.repeat_share);
  const random = Number(draft.random_share);
  if ([gold, repeats, random].some((share) => Number.isNaN(share) || share < 0 || share > 100) || gold + repeats > 100) return null;
  const others = 100 - gold - repeats;
  const figure = (value: number): string => String(Math.round(value * 10) / 10);
  return (
    <p className="rounded-md bg-sunken px-3 py-2 text-sm text-soft">
      Of 100 comparisons, {figure(gold)} have a known answer, {figure(repeats)} are repeats, {figure((others * random) / 100)} are drawn at random and {figure((others * (100 - random)) / 100)} are those that teach most.
    </p>
  );
}
