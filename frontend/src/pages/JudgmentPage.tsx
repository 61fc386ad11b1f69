/** One judgment: what was shown and said, what others said of the same answers, and all that happened to it. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { projectChanged, voidJudgment } from "../api/queries";
import { judgmentQuery } from "../api/quality";
import type { JudgmentDetail, JudgmentEvent } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Conversation } from "../components/Conversation";
import { Dialog } from "../components/Dialog";
import { Segments } from "../components/Field";
import { Markdown } from "../components/Markdown";
import { Page, Section } from "../components/Page";
import { ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";
import { duration, percent } from "../format";
import { Answers } from "../review/Answers";
import { JudgmentTable } from "../review/JudgmentTable";
import { letters, Verdict } from "../review/Verdict";

const EVENTS: Record<JudgmentEvent["what"], string> = {
  handed_out: "Handed out",
  judged: "Judged",
  folded: "Counted in the ratings",
  flagged: "Flagged",
  resolved: "Flag resolved",
  voided: "Set aside",
  taken_back: "Taken back",
  restored: "Restored",
};

const KINDS = { regular: "regular", gold: "known answer", repeat: "repeat with the sides swapped", adjudication: "an admin’s decision" } as const;

export function JudgmentPage() {
  const { project: slug, judgment: id } = useParams({ from: "/app/projects/$project/judgments/$judgment" });
  const judgment = useQuery(judgmentQuery(slug, id));
  const data = judgment.data;
  const [voiding, setVoiding] = useState(false);
  return (
    <Page
      wide
      title="Judgment"
      back={<Link to="/projects/$project/judgments" params={{ project: slug }} className="link">Judgments</Link>}
      lead={data && <>By <Link to="/projects/$project/annotators/$annotator" params={{ project: slug, annotator: data.annotator.id }} className="link">{data.annotator.name}</Link>, <Time at={data.created_at} />.</>}
      actions={
        data && (
          <>
            <ButtonLink to="/projects/$project/gold/new" params={{ project: slug }} search={{ prompt: data.prompt, completions: data.completions.map((one) => one.id).join(",") }}>Make it gold</ButtonLink>
            {!data.voided_at && <Button look="danger" onClick={() => setVoiding(true)}>{data.kind === "adjudication" ? "Take the decision back" : "Set aside"}</Button>}
          </>
        )
      }
    >
      <Loaded query={judgment}>{(loaded) => <Shown slug={slug} judgment={loaded} />}</Loaded>
      {voiding && data && <SetAside slug={slug} judgment={data} onClose={() => setVoiding(false)} />}
    </Page>
  );
}

function Shown({ slug, judgment }: { slug: string; judgment: JudgmentDetail }) {
  const [view, setView] = useState<"drawn" | "plain">("drawn");
  const aspects = Object.entries((judgment.aspects ?? {}) as Record<string, number[]>);
  const size = judgment.completions.length;
  return (
    <>
      {judgment.voided_at && <p className="mb-4 rounded-md bg-warn-wash px-3.5 py-2.5 text-warn">Set aside <Time at={judgment.voided_at} />: it counts no more.</p>}
      {judgment.reason && <p className="mb-4 rounded-md bg-warn-wash px-3.5 py-2.5 text-warn">Kept, but not counted: {judgment.reason}</p>}
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <section aria-label="Prompt" className="panel min-w-0 p-4"><Conversation messages={judgment.messages} plain={view === "plain"} /></section>
        <dl className="panel px-4 py-2">
          <Fact name="Verdict"><Verdict names={letters(size)} ranks={judgment.ranks} strength={judgment.strength} /></Fact>
          {aspects.map(([name, ranks]) => <Fact key={name} name={name}><Verdict names={letters(size)} ranks={ranks} /></Fact>)}
          <Fact name="Active time">{judgment.active_ms === null || judgment.active_ms === undefined ? "–" : duration(judgment.active_ms / 1000)}</Fact>
          <Fact name="Kind">{KINDS[judgment.kind]}</Fact>
          {judgment.gold && <Fact name="Known answer">{judgment.gold_right === null ? "" : judgment.gold_right ? "right: " : "wrong: "}<Verdict names={letters(size)} ranks={judgment.gold.ranks} /></Fact>}
          <Fact name="Chosen by">{judgment.policy.replaceAll("_", " ")}{judgment.probability === null ? "" : `, probability ${percent(judgment.probability, 1)}`}</Fact>
          <Fact name="Guidelines">version {judgment.guidelines_version}</Fact>
        </dl>
      </div>
      {judgment.comment && (
        <Section title="Comment"><p className="panel p-4 whitespace-pre-wrap [overflow-wrap:anywhere]">{judgment.comment}</p></Section>
      )}
      <Section title="Answers as they were shown" actions={<Segments label="View" value={view} onChange={setView} options={[{ value: "drawn", label: "Markdown" }, { value: "plain", label: "Plain text" }]} />}>
        <Answers answers={judgment.completions.map(({ id, text, model }) => ({ id, text, model: model.name }))} plain={view === "plain"} models ranks={judgment.ranks} spans={judgment.spans} />
      </Section>
      {judgment.ideal_answer !== null && (
        <Section title="Ideal answer">
          <div className="panel p-4">{view === "plain" ? <div className="plain">{judgment.ideal_answer}</div> : <Markdown text={judgment.ideal_answer} />}</div>
        </Section>
      )}
      <Section title="Others on the same answers">
        {judgment.others.length === 0 ? <p className="panel p-4 text-soft">Nobody else has judged this set.</p> : <JudgmentTable slug={slug} items={judgment.others} label="Judgments of the same answers" />}
      </Section>
      <Section title="History">
        <ol className="panel divide-y divide-line">
          {judgment.history.map((step, at) => (
            <li key={at} className="flex flex-wrap gap-x-3 px-4 py-2">
              <span className="font-medium">{EVENTS[step.what]}</span>
              <span className="text-soft">{step.by ? `${step.by.name}, ` : ""}<Time at={step.at} none="time not kept" /></span>
              {step.reason && <span className="min-w-0 [overflow-wrap:anywhere]">{step.reason}</span>}
            </li>
          ))}
        </ol>
      </Section>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-baseline justify-between gap-x-4 border-t border-line py-1.5 first:border-t-0">
      <dt className="text-sm text-faint">{name}</dt>
      <dd className="min-w-0 text-right">{children}</dd>
    </div>
  );
}

/** Asked twice, for a single judgment that is set aside cannot be restored. */
function SetAside({ slug, judgment, onClose }: { slug: string; judgment: JudgmentDetail; onClose: () => void }) {
  const client = useQueryClient();
  const action = useAction();
  const decision = judgment.kind === "adjudication";
  const confirm = async () => {
    const done = await action.run(async () => {
      await voidJudgment(judgment.id);
      await projectChanged(client, slug);
    }, decision ? "The decision is taken back." : "The judgment is set aside.");
    if (done) onClose();
  };
  return (
    <Dialog title={decision ? "Take this decision back?" : "Set this judgment aside?"} onClose={onClose} footer={<><Button look="quiet" onClick={onClose}>Keep it</Button><Button look="danger" busy={action.busy} onClick={() => void confirm()}>{decision ? "Take it back" : "Set it aside"}</Button></>}>
      <ErrorNote error={action.problem} className="mb-3" />
      {decision && <p className="mb-2">What it set aside stands again.</p>}
      <p className="text-soft">It stays on record, but counts no more: ratings are computed again without it. Reward sets that are frozen keep it. This cannot be undone.</p>
    </Dialog>
  );
}
