/** Answers side by side as annotators see them; an admin may have the models told, and remarks stand where they belong. */
import { Fragment } from "react";
import type { StoredSpan } from "../api/types";
import { answerName } from "../annotate/answers";
import { Markdown } from "../components/Markdown";
import { shortNames } from "../components/plot";

export interface ShownAnswer {
  id: string;
  text: string;
  model: string;
}

interface AnswersProps {
  answers: readonly ShownAnswer[];
  plain?: boolean;
  models: boolean;
  ranks?: readonly number[] | null;
  spans?: readonly StoredSpan[];
}

const COLUMNS = (size: number): string => (size === 2 ? "lg:grid-cols-2" : size === 3 ? "lg:grid-cols-3" : "md:grid-cols-2 2xl:grid-cols-4");

export function Answers({ answers, plain = false, models, ranks, spans = [] }: AnswersProps) {
  const tied = ranks?.every((rank) => rank === ranks[0]) ?? false;
  const short = shortNames(answers.map((answer) => answer.model));
  return (
    <ol className={`grid gap-3 ${COLUMNS(answers.length)}`}>
      {answers.map((answer, place) => {
        const name = answerName(place, answers.length);
        const own = spans.filter((span) => span.completion === place);
        return (
          <li key={answer.id} className="panel min-w-0">
            <div className="flex flex-wrap items-baseline gap-x-3 border-b border-line px-4 py-2">
              <h3 className="title text-md text-accent" aria-label={`Answer ${name}`}>{name}</h3>
              {models && <span className="min-w-0 text-sm text-soft [overflow-wrap:anywhere]" title={answer.model}>{short(answer.model)}</span>}
              {ranks && <span className="ml-auto text-sm text-faint">{tied ? "tied" : ranks[place] === 1 ? "best" : `place ${ranks[place]}`}</span>}
            </div>
            <div className="max-h-[26rem] overflow-y-auto px-4 py-3" tabIndex={0} role="region" aria-label={`Text of answer ${name}`}>
              {answer.text.trim() === "" ? <p className="text-faint italic">This answer is empty.</p> : own.some((span) => span.start !== null) ? <Marked text={answer.text} spans={own} /> : plain ? <div className="plain">{answer.text}</div> : <Markdown text={answer.text} />}
            </div>
            {own.length > 0 && (
              <ul aria-label={`Remarks on answer ${name}`} className="grid gap-1.5 border-t border-line px-4 py-2.5 text-sm">
                {own.map((span, at) => (
                  <li key={at}>
                    <q className="text-soft">{span.quote}</q>
                    {span.remark && <span>: {span.remark}</span>}
                  </li>
                ))}
              </ul>
            )}
          </li>
        );
      })}
    </ol>
  );
}

/** The plain text with what was marked. Offsets count code points, as the server does. */
function Marked({ text, spans }: { text: string; spans: readonly StoredSpan[] }) {
  const points = [...text];
  const cuts = [...new Set([0, points.length, ...spans.flatMap((span) => [span.start ?? 0, span.end ?? 0])])].filter((at) => at >= 0 && at <= points.length).sort((a, b) => a - b);
  return (
    <div className="plain">
      {cuts.slice(0, -1).map((from, at) => {
        const piece = points.slice(from, cuts[at + 1]).join("");
        const remarks = spans.filter((span) => span.start !== null && span.end !== null && span.start <= from && span.end >= cuts[at + 1]!);
        return remarks.length > 0 ? <mark key={from} title={remarks.map((span) => span.remark).join("; ")} className="rounded-[3px] bg-mark text-ink">{piece}</mark> : <Fragment key={from}>{piece}</Fragment>;
      })}
    </div>
  );
}
