/** Every judgment of a project, who made it, and how well people agree. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { agreementQuery, annotatorsQuery, judgmentsQuery, projectChanged, voidJudgment } from "../api/queries";
import type { JudgmentRow } from "../api/types";
import { announce } from "../components/announcer";
import { Button, ButtonLink } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Page, Section, TableFrame } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Empty, ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, duration, percent } from "../format";

export function JudgmentsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/judgments" });
  const cursor = useCursor();
  const [voiding, setVoiding] = useState<JudgmentRow | null>(null);
  const judgments = useQuery({ ...judgmentsQuery(slug, cursor.after), refetchInterval: cursor.number === 1 ? 10_000 : false });
  return (
    <Page title="Judgments" lead="Facts: a judgment is never changed, only taken back, and everything else is computed from them." wide>
      <People slug={slug} />
      <Section title="All judgments" className="mt-7">
        <Loaded query={judgments}>
          {({ items, next }) =>
            items.length === 0 ? (
              <Empty icon="judgments" title="Nobody has judged yet" action={<ButtonLink to="/projects/$project/annotate" params={{ project: slug }} look="primary">Judge the first comparison</ButtonLink>}>
                Invite annotators on the page “People”.
              </Empty>
            ) : (
              <>
                <TableFrame label="Judgments">
                  <table className="table">
                    <thead><tr><th>When</th><th>Annotator</th><th>Verdict</th><th>Comment</th><th className="number">Active time</th><th>Prompt</th><th><span className="sr-only">Take back</span></th></tr></thead>
                    <tbody>
                      {items.map((judgment) => (
                        <tr key={judgment.id} className={judgment.voided_at ? "text-faint line-through" : judgment.counted ? "" : "text-faint"}>
                          <td><Time at={judgment.created_at} /></td>
                          <td>{judgment.annotator.name}</td>
                          <td className="min-w-56"><Verdict judgment={judgment} /></td>
                          <td className="max-w-72 min-w-32">{judgment.comment}</td>
                          <td className="number">{judgment.active_ms === null || judgment.active_ms === undefined ? "–" : duration(judgment.active_ms / 1000)}</td>
                          <td><Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: judgment.prompt }} className="link">open</Link></td>
                          <td className="text-right">{!judgment.voided_at && <Button look="quiet" className="min-h-7" aria-label={`Take back the judgment of ${judgment.annotator.name}`} onClick={() => setVoiding(judgment)}>Take back</Button>}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </TableFrame>
                <Pager cursor={cursor} next={next} />
              </>
            )
          }
        </Loaded>
      </Section>
      {voiding && <TakeBack slug={slug} judgment={voiding} onClose={() => setVoiding(null)} />}
    </Page>
  );
}

/** Asked twice, for this cannot be undone: the judgment stays on record, but counts no more. */
function TakeBack({ slug, judgment, onClose }: { slug: string; judgment: JudgmentRow; onClose: () => void }) {
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const confirm = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await voidJudgment(judgment.id);
      announce("The judgment is taken back.");
      await projectChanged(client, slug);
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title="Take this judgment back?" onClose={onClose} footer={<><Button look="quiet" onClick={onClose}>Keep it</Button><Button look="danger" busy={busy} onClick={() => void confirm()}>Take it back</Button></>}>
      {problem !== null && <ErrorNote error={problem} className="mb-3" />}
      <p><Verdict judgment={judgment} />, by {judgment.annotator.name}.</p>
      <p className="mt-2 text-soft">It stays on record, but counts no more: ratings are computed again without it. Reward sets that are frozen keep it. This cannot be undone.</p>
    </Dialog>
  );
}

/** The models in the order that the judgment gave them. */
function Verdict({ judgment }: { judgment: JudgmentRow }) {
  const names = judgment.completions.map((completion) => completion.model.name);
  if (!judgment.ranks) return <>None acceptable <span className="text-faint">({names.join(", ")})</span></>;
  const { ranks } = judgment;
  const places = [...new Set(ranks)].sort((a, b) => a - b);
  return (
    <span>
      {places.map((rank, at) => (
        <span key={rank}>
          {at > 0 && <span className="text-faint"> over </span>}
          <span className={at === 0 && places.length > 1 ? "font-medium" : ""}>{names.filter((_, i) => ranks[i] === rank).join(" = ")}</span>
        </span>
      ))}
      {judgment.strength ? <span className="text-faint"> · strength {judgment.strength}</span> : null}
      {judgment.voided_at && <span className="sr-only"> (taken back)</span>}
      {judgment.reason && <span className="block text-sm">not counted: {judgment.reason}</span>}
    </span>
  );
}

/** So many annotators are shown before the judgments. */
const FEW = 6;

function People({ slug }: { slug: string }) {
  const annotators = useQuery(annotatorsQuery(slug));
  const agreement = useQuery(agreementQuery(slug)).data;
  const [all, setAll] = useState(false);
  if (annotators.data?.items.length === 0) return null;
  return (
    <Section title="People" className="mt-0">
      {agreement && agreement.units > 0 && (
        <dl className="mb-3 flex flex-wrap gap-x-8 gap-y-2">
          <Figure name="with the majority" value={agreement.majority_agreement === null ? "–" : percent(agreement.majority_agreement)} hint="How often a person says what most of the others said of the same answers." />
          <Figure name="Krippendorff’s α" value={agreement.alpha_nominal === null ? "–" : agreement.alpha_nominal.toFixed(2)} hint="Agreement beyond chance: 0 is chance, 1 is perfect." />
          <Figure name="judged more than once" value={count(agreement.units)} hint="Sets of answers on which agreement can be measured." />
        </dl>
      )}
      <Loaded query={annotators}>
        {({ items }) => (
          <>
          <TableFrame label="Annotators">
            <table className="table">
              <thead><tr><th>Annotator</th><th className="number">Judgments</th><th className="number">Median time</th><th className="number" title="How often this person says what most of the others say">With the majority</th><th className="number" title="How often the same verdict came again when the sides were swapped">Same again</th><th className="number" title="How often the left answer wins; half is what to expect">Left preferred</th><th>Last one</th></tr></thead>
              <tbody>
                {(all ? items : items.slice(0, FEW)).map((person) => {
                  const share = person.left_share;
                  const leaning = share !== null && share !== undefined && person.judgments >= 30 && Math.abs(share - 0.5) > 1.96 * Math.sqrt(0.25 / person.judgments);
                  return (
                    <tr key={person.id}>
                      <td className="font-medium">{person.name}</td>
                      <td className="number">{count(person.judgments)}</td>
                      <td className="number">{person.median_active_ms === null || person.median_active_ms === undefined ? "–" : duration(person.median_active_ms / 1000)}</td>
                      <td className="number">{person.majority_agreement === null ? "–" : percent(person.majority_agreement)}</td>
                      <td className="number">{person.repeat_consistency === null ? "–" : percent(person.repeat_consistency)}</td>
                      <td className="number">
                        {share === null || share === undefined ? "–" : percent(share)}
                        {leaning && <span className="ml-1.5 rounded-sm bg-warn-wash px-1.5 text-xs text-warn">leans</span>}
                      </td>
                      <td><Time at={person.last_judgment_at} /></td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </TableFrame>
          {items.length > FEW && <Button look="quiet" className="mt-1" onClick={() => setAll(!all)}>{all ? "Show fewer" : `Show all ${count(items.length)} people`}</Button>}
          </>
        )}
      </Loaded>
    </Section>
  );
}

function Figure({ name, value, hint }: { name: string; value: string; hint: string }) {
  return (
    <div title={hint}>
      <dt className="text-sm text-faint">{name}</dt>
      <dd className="title text-lg">{value}</dd>
    </div>
  );
}
