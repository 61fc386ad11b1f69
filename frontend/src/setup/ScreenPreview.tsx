/**
 * The annotator's screen as the draft makes it, drawn by the same components that annotators work with, on a sample.
 * To look at only: nothing in it can be reached by keyboard, and a sentence says the same to screen readers.
 */
import { useState } from "react";
import type { Protocol } from "../api/types";
import { Preview } from "../annotate/Preview";
import { Segments } from "../components/Field";
import { Markdown } from "../components/Markdown";
import { plural } from "../format";
import { type Draft, phrases } from "./draft";
import { mask } from "./masks";
import { SAMPLE_PROMPT, sampleAnswers } from "./sample";

/** So much smaller than life; where there is more to choose from, the bar needs a wider screen. */
function scaleOf({ size, strength_levels: levels }: Protocol): number {
  return size > 2 || levels > 2 ? 0.55 : 0.7;
}

export function ScreenPreview({ draft }: { draft: Draft }) {
  const [view, setView] = useState<"screen" | "guidelines">("screen");
  const scale = scaleOf(draft.protocol);
  return (
    <section aria-label="Preview of the annotator’s screen" className="flex min-h-0 flex-1 flex-col">
      <div className="mb-2 flex flex-wrap items-center justify-between gap-2">
        <h2 className="title text-lg">What annotators see</h2>
        <Segments label="Part of the preview" value={view} onChange={setView} options={[{ value: "screen", label: "Comparison" }, { value: "guidelines", label: "Before it" }]} />
      </div>
      <p className="sr-only">{spoken(draft.protocol)}</p>
      <div className="min-h-96 flex-1 overflow-hidden" inert>
        <div className="origin-top-left" style={{ width: `${100 / scale}%`, height: `${100 / scale}%`, transform: `scale(${scale})` }}>
          {view === "screen" ? <Screen draft={draft} /> : <Before draft={draft} />}
        </div>
      </div>
    </section>
  );
}

function Screen({ draft }: { draft: Draft }) {
  const hidden = phrases(draft.masks);
  const sample = { prompt: mask(SAMPLE_PROMPT, hidden), completions: sampleAnswers(draft.protocol.size).map((text) => mask(text, hidden)) };
  return <Preview protocol={draft.protocol} sample={sample} />;
}

function Before({ draft }: { draft: Draft }) {
  return (
    <div className="h-full overflow-hidden rounded-lg border border-line bg-surface p-8">
      <p className="title text-xl">{draft.name.trim() || "Your project"}</p>
      <div className="mt-4 max-w-[70ch]">{draft.guidelines.trim() === "" ? <p className="text-soft">There are no guidelines: annotators begin at once.</p> : <Markdown text={draft.guidelines} />}</div>
    </div>
  );
}

/** The screen in a sentence or two, for those who cannot see it. */
export function spoken(protocol: Protocol): string {
  const degrees = protocol.strength_levels > 0 ? ` in ${protocol.strength_levels} degrees` : "";
  const choices =
    protocol.size > 2
      ? [protocol.top ? `the best ${protocol.top} of ${protocol.size} in order` : `${protocol.size} answers in order`, ...(protocol.allow_tie ? ["ties"] : [])]
      : [`A is better${degrees}`, ...(protocol.allow_tie ? ["tie"] : []), `B is better${degrees}`];
  const besides = [
    ...(protocol.aspects.length > 0 ? [plural(protocol.aspects.length, "aspect")] : []),
    ...(protocol.comment === "off" ? [] : [protocol.comment === "required" ? "a comment, required" : "a comment"]),
    ...(protocol.ideal_answer === "off" ? [] : ["an ideal answer"]),
    ...(protocol.spans ? ["remarks on passages"] : []),
  ];
  return `To choose from: ${[...choices, ...(protocol.allow_none_acceptable ? ["none acceptable"] : []), "skip"].join(", ")}.${besides.length > 0 ? ` Besides: ${besides.join(", ")}.` : ""}`;
}
