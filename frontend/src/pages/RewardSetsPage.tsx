/** The frozen reward sets of a project, and how to make one. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { rewardSetsQuery } from "../api/queries";
import { Button, ButtonLink } from "../components/Button";
import { NewRewardSet } from "../components/NewRewardSet";
import { Page, TableFrame } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count } from "../format";

export const METHOD_NAMES: Record<string, string> = { elo: "Elo", bradley_terry: "Bradley-Terry", crowd_bradley_terry: "Bradley-Terry, annotators weighed" };

export function RewardSetsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/rewards" });
  const sets = useQuery(rewardSetsQuery(slug));
  const [making, setMaking] = useState(false);
  const make = <Button look="primary" icon="plus" onClick={() => setMaking(true)}>New reward set</Button>;
  return (
    <Page title="Rewards" lead="A reward set freezes the ratings of this moment as one number for each completion, with the judgments behind it. Training reads reward sets only, so a run can be repeated exactly." actions={sets.data && sets.data.items.length > 0 && make}>
      <Loaded query={sets}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="rewards" title="No reward set yet" action={make}>Make one when enough comparisons are judged. Later judgments do not change it; they go into the next one.</Empty>
          ) : (
            <TableFrame label="Reward sets">
              <table className="table">
                <thead><tr><th className="number">No.</th><th>Name</th><th>From</th><th className="number">Prompts</th><th className="number">Held out</th><th className="number">Completions</th><th className="number">Judgments</th><th>Made</th><th><span className="sr-only">Use</span></th></tr></thead>
                <tbody>
                  {items.map((set) => (
                    <tr key={set.id}>
                      <td className="number">{set.number}</td>
                      <td><Link to="/projects/$project/rewards/$set" params={{ project: slug, set: set.id }} className="link font-medium">{set.name}</Link></td>
                      <td>{METHOD_NAMES[set.method] ?? set.method}</td>
                      <td className="number">{count(set.prompts)}</td>
                      <td className="number">{count(set.held_out_prompts)}</td>
                      <td className="number">{count(set.completions)}</td>
                      <td className="number">{count(set.judgments)}</td>
                      <td><Time at={set.created_at} /></td>
                      <td><ButtonLink to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: "reward_model" }} look="quiet" className="min-h-7">Train on it</ButtonLink></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </TableFrame>
          )
        }
      </Loaded>
      {making && <NewRewardSet slug={slug} onClose={() => setMaking(false)} />}
    </Page>
  );
}
