/** The texts that a run left at its steps, token by token where that is known. Only those of the step that is looked at
 * are fetched: a long run leaves far more than anybody reads. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { runSampleSteps, runSamplesQuery } from "../api/queries";
import type { Run, Sample } from "../api/types";
import { Button } from "../components/Button";
import { Conversation } from "../components/Conversation";
import { Segments } from "../components/Field";
import { Section } from "../components/Page";
import { Bones, ErrorNote } from "../components/Status";
import { TokenText } from "../components/TokenText";
import { useTail } from "../components/useTail";
import { count, figure } from "../format";

const LIVE_MS = 4_000;

function inOrder(before: readonly number[], more: readonly number[]): number[] {
  return [...new Set([...before, ...more])].toSorted((one, other) => one - other);
}

export function Texts({ run, live }: { run: Run; live: boolean }) {
  const { items: steps, error } = useTail((after) => runSampleSteps(run.id, after), inOrder, live, LIVE_MS);
  const [chosen, setChosen] = useState<number | null>(null);
  if (steps.length === 0) return error === null ? null : <Section title="Texts"><ErrorNote error={error} /></Section>;
  const last = steps.length - 1;
  const at = chosen === null ? last : Math.max(0, steps.indexOf(chosen));
  return (
    <Section
      title="Texts"
      actions={
        <div className="flex flex-wrap items-center gap-2">
          <span className="text-sm text-faint">step {count(steps[at]!)} of {count(steps[last]!)}{chosen === null && live ? ", newest" : ""}</span>
          <Button icon="left" disabled={at === 0} onClick={() => setChosen(steps[at - 1]!)}>Earlier</Button>
          <Button disabled={at === last} onClick={() => setChosen(at + 1 === last ? null : steps[at + 1]!)}>Later</Button>
        </div>
      }
    >
      <Step run={run} step={steps[at]!} growing={live && at === last} />
    </Section>
  );
}

/** All texts of a step, one of them open. `growing`: more of them may come. */
function Step({ run, step, growing }: { run: Run; step: number; growing: boolean }) {
  const { data, error } = useQuery({ ...runSamplesQuery(run, step), refetchInterval: growing ? LIVE_MS : false });
  const [place, setPlace] = useState(0);
  if (!data) return error === null ? <Bones /> : <ErrorNote error={error} />;
  const sample = data.items[Math.min(place, data.items.length - 1)];
  if (!sample) return null;
  return (
    <>
      {data.items.length > 1 && (
        <div role="group" aria-label="Texts of this step, with their scores" className="mb-2 flex flex-wrap gap-1">
          {data.items.map((one, number) => (
            <button key={one.id} type="button" aria-pressed={one === sample} onClick={() => setPlace(number)} className="inline-flex min-h-8 min-w-9 items-center justify-center gap-1.5 rounded-md px-2 text-sm text-soft hover:bg-sunken hover:text-ink aria-pressed:bg-accent-wash aria-pressed:text-accent">
              <span className="text-faint">{number + 1}</span>
              {typeof one.values["score"] === "number" && <span className="number">{one.values["score"].toFixed(2)}</span>}
            </button>
          ))}
        </div>
      )}
      <SampleCard sample={sample} />
    </>
  );
}

const TOKEN_VALUES = ["kl", "value", "advantage"] as const;

function SampleCard({ sample }: { sample: Sample }) {
  const by = TOKEN_VALUES.filter((name) => sample.tokens?.some((token) => typeof token[name] === "number"));
  const [view, setView] = useState<"text" | (typeof TOKEN_VALUES)[number]>("text");
  const shown = view !== "text" && !by.includes(view) ? "text" : view;
  return (
    <article className="panel">
      <div className="flex flex-wrap items-center gap-x-5 gap-y-1.5 border-b border-line px-4 py-2 text-sm">
        <span className="text-faint">step {count(sample.step)}</span>
        {Object.entries(sample.values).map(([name, value]) => (
          <span key={name}><span className="text-faint">{name} </span>{typeof value === "number" ? figure(value) : String(value ?? "–")}</span>
        ))}
        {by.length > 0 && (
          <Segments label="Colour the tokens by" className="ml-auto" value={shown} onChange={setView} options={[{ value: "text", label: "Text" }, ...by.map((name) => ({ value: name, label: name === "kl" ? "KL" : name }))]} />
        )}
      </div>
      <div className="grid lg:grid-cols-[2fr_3fr]">
        <div className="max-h-96 overflow-y-auto border-line px-4 py-3 max-lg:border-b lg:border-r" tabIndex={0} role="region" aria-label="Prompt"><Conversation messages={sample.prompt} plain /></div>
        <div className="max-h-96 overflow-y-auto px-4 py-3" tabIndex={0} role="region" aria-label="Completion">
          {shown === "text" || !sample.tokens ? <div className="plain">{sample.completion || <span className="text-faint">(empty)</span>}</div> : <TokenText tokens={sample.tokens} by={shown} />}
        </div>
      </div>
    </article>
  );
}
