/** One reward set: how the rewards are spread, and each of them. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { rewardSetQuery, rewardsQuery } from "../api/queries";
import type { RewardSet } from "../api/types";
import { ButtonLink } from "../components/Button";
import { Page, Section, TableFrame } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, figure, plural, signed } from "../format";
import { METHOD_NAMES } from "./RewardSetsPage";

export function RewardSetPage() {
  const { project: slug, set: id } = useParams({ from: "/app/projects/$project/rewards/$set" });
  const set = useQuery(rewardSetQuery(id));
  const cursor = useCursor();
  const rewards = useQuery(rewardsQuery(id, cursor.after));
  return (
    <Page
      title={set.data?.name ?? "Reward set"}
      back={<Link to="/projects/$project/rewards" params={{ project: slug }} className="link">Rewards</Link>}
      actions={<ButtonLink to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: "reward_model" }} look="primary">Train a reward model</ButtonLink>}
    >
      <Loaded query={set}>{(data) => <Facts set={data} />}</Loaded>
      <Section title="Rewards">
        <Loaded query={rewards}>
          {({ items, next }) => {
            const most = Math.max(1e-9, ...items.map((item) => Math.abs(item.reward)));
            return (
              <>
                <TableFrame label="Rewards">
                  <table className="table">
                    <thead><tr><th>Prompt</th><th className="number">Rating</th><th className="number">Reward</th><th className="w-40"><span className="sr-only">Size</span></th><th className="number">Weight</th><th className="number">Judgments</th><th>Part</th></tr></thead>
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
    </Page>
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

function Facts({ set }: { set: RewardSet }) {
  return (
    <p className="text-soft">
      No. {set.number}, from {METHOD_NAMES[set.method] ?? set.method}, made <Time at={set.created_at} />: {plural(set.completions, "completion")} of {plural(set.prompts, "prompt")} ({count(set.held_out_prompts)} held out to test reward models, {count(set.skipped_prompts)} without enough judgments left out), from {plural(set.judgments, "judgment")}. Scale {figure(set.scale)}.
    </p>
  );
}
