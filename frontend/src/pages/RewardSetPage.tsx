/** One reward set: how the rewards are spread, and each of them. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { annotatorsQuery, compareRewardSetsQuery, rewardQuery, rewardSetQuery, rewardSetsQuery, rewardsQuery } from "../api/queries";
import type { RewardSet } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Page, Section, TableFrame } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { NORMALISATIONS } from "../components/NewRewardSet";
import { count, figure, percent, plural, signed } from "../format";
import { METHOD_NAMES } from "./RewardSetsPage";

export function RewardSetPage() {
  const { project: slug, set: id } = useParams({ from: "/app/projects/$project/rewards/$set" });
  const set = useQuery(rewardSetQuery(id));
  const cursor = useCursor();
  const rewards = useQuery(rewardsQuery(id, cursor.after));
  const [open, setOpen] = useState<string | null>(null);
  return (
    <Page
      title={set.data?.name ?? "Reward set"}
      back={<Link to="/projects/$project/rewards" params={{ project: slug }} className="link">Rewards</Link>}
      actions={<ButtonLink to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: "reward_model" }} look="primary">Train a reward model</ButtonLink>}
    >
      <Loaded query={set}>{(data) => <Facts set={data} slug={slug} />}</Loaded>
      <Section title="Rewards">
        <Loaded query={rewards}>
          {({ items, next }) => {
            const most = Math.max(1e-9, ...items.map((item) => Math.abs(item.reward)));
            return (
              <>
                <TableFrame label="Rewards">
                  <table className="table">
                    <thead><tr><th>Prompt</th><th className="number">Rating</th><th className="number">Reward</th><th className="w-40"><span className="sr-only">Size</span></th><th className="number">Weight</th><th className="number">Judgments</th><th>Part</th><th><span className="sr-only">Why</span></th></tr></thead>
                    <tbody>
                      {items.map((item) => (
                        <tr key={item.completion} className="*:align-middle">
                          <td><Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: item.prompt }} className="link">open</Link></td>
                          <td className="number">{count(item.rating)}{item.standard_error !== null && <span className="text-faint"> ± {count(item.standard_error)}</span>}</td>
                          <td className="number">{signed(item.reward, 3)}</td>
                          <td aria-hidden="true"><Size share={item.reward / most} /></td>
                          <td className="number">{figure(item.weight)}</td>
                          <td className="number">{count(item.judgments)}</td>
                          <td className="text-faint">{item.split === "held_out" ? "held out" : "train"}</td>
                          <td>{item.judgments > 0 && <Button look="quiet" className="min-h-7" onClick={() => setOpen(item.completion)}>Why</Button>}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </TableFrame>
                <Pager cursor={cursor} next={next} />
              </>
            );
          }}
        </Loaded>
      </Section>
      {open !== null && <Why set={id} slug={slug} completion={open} onClose={() => setOpen(null)} />}
    </Page>
  );
}

const SAID: Record<string, string> = { "1": "better than", "0.5": "as good as", "0": "worse than" };

/** One reward down to the judgments and people behind it. */
function Why({ set, slug, completion, onClose }: { set: string; slug: string; completion: string; onClose: () => void }) {
  const reward = useQuery(rewardQuery(set, completion));
  return (
    <Dialog title="Why this reward" shape="wide" onClose={onClose}>
      <Loaded query={reward}>
        {(data) => (
          <>
            <p className="mb-3 text-soft">
              Reward {signed(data.reward, 3)} from a rating of {count(data.rating)}{data.standard_error !== null && ` ± ${count(data.standard_error)}`}, made from {plural(data.because.length, "outcome")}. <Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: data.prompt }} className="link">Read the prompt and its answers</Link>
            </p>
            <TableFrame label="Outcomes behind the reward">
              <table className="table">
                <thead><tr><th>Annotator</th><th>Said it is</th><th>the answer of</th><th className="number">Weight</th><th>When</th></tr></thead>
                <tbody>
                  {data.because.map((one) => (
                    <tr key={`${one.judgment} ${one.other}`}>
                      <td>{one.annotator}</td>
                      <td>{SAID[String(one.score)] ?? figure(one.score)}{one.comment && <p className="text-sm text-faint">“{one.comment}”</p>}</td>
                      <td>{one.model}</td>
                      <td className="number">{figure(one.weight)}</td>
                      <td><Time at={one.created_at} />{one.voided_at !== null && <span className="text-warn"> · taken back since</span>}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </TableFrame>
          </>
        )}
      </Loaded>
    </Dialog>
  );
}

/** Which judgments were asked for, in words; nothing when all were. */
function Asked({ set, slug }: { set: RewardSet; slug: string }) {
  const question = (set.parameters["question"] ?? {}) as { without_annotators?: string[]; before?: string; guidelines_versions?: number[]; min_gold_share?: number };
  const people = useQuery({ ...annotatorsQuery(slug), enabled: (question.without_annotators?.length ?? 0) > 0 }).data?.items;
  const parts = [
    question.without_annotators && `without ${question.without_annotators.map((id) => people?.find((one) => one.id === id)?.name ?? "somebody").join(", ")}`,
    question.guidelines_versions && `under the guidelines ${question.guidelines_versions.map((version) => `version ${version}`).join(" or ")}`,
    question.min_gold_share !== undefined && `by annotators with at least ${percent(question.min_gold_share)} of gold comparisons right`,
  ].filter(Boolean);
  if (parts.length === 0 && !question.before) return null;
  return <p className="mt-1 text-soft">Only judgments {parts.join(", ")}{question.before && <>{parts.length > 0 ? ", " : ""}made before <Time at={question.before} /></>}.</p>;
}

/** How much the answer to another question differs. */
function Compare({ set, slug }: { set: RewardSet; slug: string }) {
  const others = useQuery(rewardSetsQuery(slug)).data?.items.filter((one) => one.id !== set.id) ?? [];
  const [other, setOther] = useState("");
  const compared = useQuery({ ...compareRewardSetsQuery(set.id, other), enabled: other !== "" });
  if (others.length === 0) return null;
  return (
    <div className="mt-3 flex flex-wrap items-center gap-3">
      <label className="flex items-center gap-2">
        <span>Compare with</span>
        <select className="field w-auto" value={other} onChange={(event) => setOther(event.target.value)}>
          <option value="">…</option>
          {others.map((one) => <option key={one.id} value={one.id}>{`No. ${one.number}, ${one.name}`}</option>)}
        </select>
      </label>
      <p role="status" className="text-soft">
        {compared.data && (compared.data.completions === 0 ? "They share no completion." : `Of ${plural(compared.data.pairs, "pair")} in ${plural(compared.data.prompts, "shared prompt")} ${percent(compared.data.pairs_turned / Math.max(1, compared.data.pairs))} change their order; another answer is the best in ${percent(compared.data.best_differs / Math.max(1, compared.data.prompts))} of the prompts${compared.data.correlation === null ? "" : `; the rewards correlate at ${figure(compared.data.correlation)}`}.`)}
      </p>
    </div>
  );
}

/** A bar from the middle, right for good and left for bad. */
function Size({ share }: { share: number }) {
  const width = `${Math.abs(share) * 50}%`;
  return (
    <div className="relative h-5">
      <div className="absolute inset-y-0 left-1/2 border-l border-edge/60" />
      <div className={`absolute top-1.5 h-2 rounded-full ${share < 0 ? "bg-warn/60" : "bg-accent"}`} style={share < 0 ? { right: "50%", width } : { left: "50%", width }} />
    </div>
  );
}

function Facts({ set, slug }: { set: RewardSet; slug: string }) {
  return (
    <>
    <p className="text-soft">
      No. {set.number}, from {METHOD_NAMES[set.method] ?? set.method}, made <Time at={set.created_at} />: {plural(set.completions, "completion")} of {plural(set.prompts, "prompt")} ({count(set.held_out_prompts)} held out to test reward models, {count(set.skipped_prompts)} without enough judgments left out), from {plural(set.judgments, "judgment")}. Scale {figure(set.scale)}{set.normalisation === "centred_global" ? "" : `, ${NORMALISATIONS[set.normalisation] ?? set.normalisation}`}.
    </p>
    <Asked set={set} slug={slug} />
    <Compare set={set} slug={slug} />
    </>
  );
}
