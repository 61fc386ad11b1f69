/** The completions of a prompt to read, best first, with what is known of each. */
import { type ReactNode, useId, useState } from "react";
import { Button } from "../components/Button";
import { Segments } from "../components/Field";
import { Markdown } from "../components/Markdown";
import { Section } from "../components/Page";
import { count, plural, signed } from "../format";
import { CLOSE, chance } from "../ratings/Board";
import { type Answer, groups } from "./standings";

const FIRST = 12;
/** Letters beyond which a text starts folded. */
const LONG = 600;

type View = "drawn" | "plain";

export function Answers({ answers }: { answers: readonly Answer[] }) {
  const [view, setView] = useState<View>("drawn");
  const [all, setAll] = useState(false);
  const apart = groups(answers) > 1;
  const shown = all ? answers : answers.slice(0, FIRST);
  return (
    <Section
      title={plural(answers.length, "completion")}
      actions={<Segments label="View" value={view} onChange={setView} options={[{ value: "drawn", label: "Markdown" }, { value: "plain", label: "Plain text" }]} />}
    >
      <ol className="grid items-start gap-4 xl:grid-cols-2">
        {shown.map((answer, at) => <Card key={answer.id} answer={answer} rank={at + 1} apart={apart} view={view} />)}
      </ol>
      {shown.length < answers.length && <div className="mt-4 text-center"><Button onClick={() => setAll(true)}>Show the other {count(answers.length - shown.length)}</Button></div>}
    </Section>
  );
}

function Card({ answer, rank, apart, view }: { answer: Answer; rank: number; apart: boolean; view: View }) {
  const id = useId();
  const long = answer.text.length > LONG;
  const [open, setOpen] = useState(!long);
  return (
    <li className="panel min-w-0">
      <div className="border-b border-line px-4 py-2.5">
        <div className="flex items-baseline gap-2.5">
          {answer.judgments > 0 && <span className="text-sm text-faint tabular-nums">{rank}</span>}
          <h3 className="min-w-0 flex-1 font-medium [overflow-wrap:anywhere]" title={answer.model.name}>{answer.name}</h3>
          {answer.judgments > 0 && <span className="text-sm whitespace-nowrap text-faint">{plural(answer.judgments, "judgment")}</span>}
        </div>
        {answer.judgments === 0 ? (
          <p className="mt-1 text-sm text-faint">Nobody has judged it yet.</p>
        ) : (
          <dl className="mt-1 flex flex-wrap gap-x-5 gap-y-0.5 text-sm">
            <Fact name="Bradley-Terry" hint="Elo points from the mean of this prompt, with 95 % of its error">
              {answer.bradley_terry === null ? "–" : <>{signed(answer.bradley_terry, 0)}{answer.standard_error !== null && <span className="text-faint"> ± {Math.round(CLOSE * answer.standard_error)}</span>}</>}
            </Fact>
            <Fact name="Elo" hint="Among the completions of this prompt">{answer.rating === null ? "–" : count(answer.rating)}</Fact>
            <Fact name="Best with" hint="The chance that it is the best of this prompt">{chance(answer.best)}</Fact>
            {apart && answer.component !== null && <Fact name="Group" hint="Answers of different groups were never compared, not even through others">{answer.component + 1}</Fact>}
          </dl>
        )}
      </div>
      {/* What cannot be seen must not be tabbed to. */}
      <div id={id} inert={!open} className={`relative overflow-hidden px-4 py-3 ${open ? "" : "max-h-52 [mask-image:linear-gradient(black_60%,transparent)]"}`}>
        {view === "plain" ? <div className="plain">{answer.text}</div> : <Markdown text={answer.text} />}
      </div>
      {long && <Button look="quiet" className="m-1 min-h-8 text-sm" aria-expanded={open} aria-controls={id} aria-label={`${open ? "Fold" : "Read all of"} the answer of ${answer.name}`} onClick={() => setOpen(!open)}>{open ? "Fold" : "Read all"}</Button>}
    </li>
  );
}

function Fact({ name, hint, children }: { name: string; hint?: string; children: ReactNode }) {
  return (
    <div className="flex items-baseline gap-1.5" title={hint}>
      <dt className="text-faint">{name}</dt>
      <dd className="tabular-nums">{children}</dd>
    </div>
  );
}
