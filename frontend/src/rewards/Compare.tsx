/** How much the answer to another question differs: in figures, and reward by reward. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { compareRewardSetsQuery, rewardSetsQuery } from "../api/queries";
import { rewardShapeQuery } from "../api/ratings";
import type { RewardSet } from "../api/types";
import { Figure } from "../components/Figure";
import { Section } from "../components/Page";
import { Scatter } from "../components/Scatter";
import { Loaded } from "../components/Status";
import { figure, percent, plural, signed } from "../format";

/** As many as the server gives. */
const MOST = 1000;

export function Compare({ set, slug }: { set: RewardSet; slug: string }) {
  const others = useQuery(rewardSetsQuery(slug)).data?.items.filter((one) => one.id !== set.id) ?? [];
  const [other, setOther] = useState("");
  const compared = useQuery({ ...compareRewardSetsQuery(set.id, other), enabled: other !== "" });
  if (others.length === 0) return null;
  return (
    <Section title="Beside another set">
      <div className="flex flex-wrap items-center gap-3">
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
      {other !== "" && <Both set={set} other={others.find((one) => one.id === other)!} />}
    </Section>
  );
}

function Both({ set, other }: { set: RewardSet; other: RewardSet }) {
  const shape = useQuery(rewardShapeQuery(set.id, other.id));
  return (
    <Loaded query={shape}>
      {({ points }) => points.length === 0 ? null : (
        <Figure
          className="mt-3"
          title={`No. ${set.number} beside No. ${other.number}`}
          caption={`The rewards of ${plural(points.length, "completion")} that are in both sets${points.length >= MOST ? ", picked by chance" : ""}. On the dashed line, both give the same.`}
          file={`reward-sets-${set.number}-and-${other.number}`}
          data={{ columns: ["completion", "prompt", `reward_${set.number}`, `reward_${other.number}`], rows: points.map((one) => [one.completion, one.prompt, one.reward, one.other]) }}
        >
          <Scatter label={`Rewards of No. ${set.number} against those of No. ${other.number}`} equal xName={`reward in No. ${set.number}`} yName={`reward in No. ${other.number}`} dots={points.map((one) => ({ key: one.completion, x: one.reward, y: one.other ?? 0, title: `${signed(one.reward, 3)} and ${signed(one.other ?? 0, 3)}` }))} />
        </Figure>
      )}
    </Loaded>
  );
}
