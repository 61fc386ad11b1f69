/** Texts that were made during a run, a step at a time: those of one prompt side by side, tokens coloured by a number.
 * Only those of the step that is looked at are fetched: a long run leaves far more than anybody reads. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { runSampleSteps, runSamplesQuery } from "../api/queries";
import type { Run, Sample } from "../api/types";
import { Button } from "../components/Button";
import { Conversation } from "../components/Conversation";
import { Segments } from "../components/Field";
import { Section } from "../components/Page";
import { Bones, ErrorNote } from "../components/Status";
import { TOKEN_NUMBERS, type TokenNumber, TokenText } from "../components/TokenText";
import { useTail } from "../components/useTail";
import { count, plural } from "../format";
import { parted, saidOf, together } from "./texts";

const LIVE_MS = 4_000;
/** So many texts of a step are shown at once; the others are one click away. */
const FIRST = 4;

function inOrder(before: readonly number[], more: readonly number[]): number[] {
  return [...new Set([...before, ...more])].toSorted((one, other) => one - other);
}

type View = "text" | TokenNumber;

export function Samples({ run, live }: { run: Run; live: boolean }) {
  const { items: steps, error } = useTail((after) => runSampleSteps(run.id, after), inOrder, live, LIVE_MS);
  const [chosen, setChosen] = useState<number | null>(null);
  if (steps.length === 0) return error === null ? null : <Section title="Texts"><ErrorNote error={error} /></Section>;
  const byPrompt = run.kind === "evaluate";
  const last = steps.length - 1;
  const at = chosen !== null ? Math.max(0, steps.indexOf(chosen)) : byPrompt && !live ? 0 : last;
  // Who looks at the newest goes on to look at the newest.
  const go = (place: number) => setChosen(live && place === last ? null : steps[place]!);
  return (
    <Section
      title="Texts"
      actions={
        <div className="flex flex-wrap items-center gap-2">
          <label className="flex items-center gap-2 text-sm text-soft">
            {byPrompt ? "Prompt" : "Step"}
            <select className="field w-auto" value={steps[at]} onChange={(event) => go(steps.indexOf(Number(event.target.value)))}>
              {steps.map((step, place) => <option key={step} value={step}>{count(byPrompt ? place + 1 : step)}{live && place === last ? ", newest" : ""}</option>)}
            </select>
          </label>
          <Button icon="left" disabled={at === 0} onClick={() => go(at - 1)}>Earlier</Button>
          <Button disabled={at === last} onClick={() => go(at + 1)}>Later</Button>
        </div>
      }
    >
      <Step run={run} step={steps[at]!} growing={live && at === last} />
    </Section>
  );
}

/** `growing`: more texts of this step may come. */
function Step({ run, step, growing }: { run: Run; step: number; growing: boolean }) {
  const { data, error } = useQuery({ ...runSamplesQuery(run, step), refetchInterval: growing ? LIVE_MS : false });
  const [view, setView] = useState<View>("text");
  const [all, setAll] = useState(false);
  const samples = data?.items ?? [];
  if (!data) return error === null ? <Bones /> : <ErrorNote error={error} />;
  const by = (Object.keys(TOKEN_NUMBERS) as TokenNumber[]).filter((name) => samples.some((one) => one.tokens?.some((token) => typeof token[name] === "number")));
  const shown = view !== "text" && by.includes(view) ? view : "text";
  const models = Array.isArray(run.config["models"]) ? run.config["models"].map(String) : [];
  return (
    <>
      {by.length > 0 && <Segments label="Colour the tokens by" className="mb-3" value={shown} onChange={setView} options={[{ value: "text", label: "Text" }, ...by.map((name) => ({ value: name, label: TOKEN_NUMBERS[name].name }))]} />}
      {together(samples) ? (
        <article className="panel">
          <Prompt sample={samples[0]!} className="border-b border-line" />
          <div className="grid md:grid-cols-[repeat(auto-fit,minmax(18rem,1fr))]">
            {samples.map((one) => <Answer key={one.id} sample={one} models={models} view={shown} className="border-line max-md:border-b md:border-r last:border-0" />)}
          </div>
        </article>
      ) : (
        <div className="grid gap-3">
          {samples.slice(0, all ? undefined : FIRST).map((one, place) => (
            <article key={one.id} className="panel grid lg:grid-cols-[2fr_3fr]">
              <Prompt sample={one} number={place + 1} className="border-line max-lg:border-b lg:border-r" />
              <Answer sample={one} number={place + 1} models={models} view={shown} />
            </article>
          ))}
          {!all && samples.length > FIRST && <Button className="justify-self-start" onClick={() => setAll(true)}>Show all {plural(samples.length, "text")} of this step</Button>}
        </div>
      )}
    </>
  );
}

/** `number`: the regions of a page need names of their own. */
function Prompt({ sample, number, className }: { sample: Sample; number?: number; className: string }) {
  return <div className={`max-h-96 overflow-y-auto px-4 py-3 ${className}`} tabIndex={0} role="region" aria-label={named("Prompt", number)}><Conversation messages={sample.prompt} plain /></div>;
}

function Answer({ sample, number, models, view, className }: { sample: Sample; number?: number; models: readonly string[]; view: View; className?: string }) {
  const [model, text] = parted(sample.completion, models);
  return (
    <div className={`min-w-0 px-4 py-3 ${className ?? ""}`}>
      {model !== null && <h3 className="mb-1 font-medium [overflow-wrap:anywhere]">{model}</h3>}
      {/* As wide as the ring of the focus inside needs. */}
      <div className="-mx-1.5 max-h-96 overflow-y-auto px-1.5" tabIndex={0} role="region" aria-label={named(model === null ? "Completion" : `Completion by ${model}`, number)}>
        {view === "text" || !sample.tokens ? <div className="plain">{text || <span className="text-faint">(empty)</span>}</div> : <TokenText tokens={sample.tokens} by={view} />}
      </div>
      <p className="mt-2 flex flex-wrap gap-x-4 text-sm">
        {saidOf(sample.values).map(([name, value]) => <span key={name}><span className="text-faint">{name} </span>{value}</span>)}
      </p>
    </div>
  );
}

function named(what: string, number: number | undefined): string {
  return number === undefined ? what : `${what}, ${count(number)}`;
}
