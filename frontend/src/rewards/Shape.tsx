/** What a reward set looks like as a whole: how its rewards are spread, and how they follow from ratings. */
import { useQuery } from "@tanstack/react-query";
import { rewardShapeQuery } from "../api/ratings";
import type { RewardSet, RewardShape } from "../api/types";
import { Figure } from "../components/Figure";
import { Histogram } from "../components/Histogram";
import { Scatter } from "../components/Scatter";
import { Loaded } from "../components/Status";
import { count, plural, signed } from "../format";

interface ShapeProps {
  set: RewardSet;
  onOpen: (completion: string) => void;
}

export function Shape({ set, onOpen }: ShapeProps) {
  const shape = useQuery(rewardShapeQuery(set.id));
  return <Loaded query={shape}>{(data) => data.points.length === 0 ? null : <div className="mt-6 grid gap-4 xl:grid-cols-2"><Spread set={set} shape={data} /><Against set={set} shape={data} onOpen={onOpen} /></div>}</Loaded>;
}

const fileOf = (set: RewardSet): string => `reward-set-${set.number}`;

function Spread({ set, shape: { edges, train, held_out: heldOut } }: { set: RewardSet; shape: RewardShape }) {
  return (
    <Figure
      title="How the rewards are spread"
      caption={`${plural(set.completions, "completion")}, by reward.`}
      file={`${fileOf(set)}-spread`}
      data={{ columns: ["from", "to", "train", "held_out"], rows: train.map((many, at) => [edges[at], edges[at + 1], many, heldOut[at]]) }}
    >
      <Histogram label="How many completions have which reward" edges={edges} parts={[{ name: "train", counts: train }, { name: "held out", counts: heldOut }]} xName="reward" height={300} />
    </Figure>
  );
}

function Against({ set, shape: { points }, onOpen }: ShapeProps & { shape: RewardShape }) {
  return (
    <Figure
      title="Reward against rating"
      caption={`${points.length < set.completions ? `${count(points.length)} of ${count(set.completions)} completions, picked by chance. ` : ""}A dot opens the judgments behind it; so does “Why” in the table below.`}
      file={`${fileOf(set)}-rewards`}
      data={{ columns: ["completion", "prompt", "rating", "reward", "weight"], rows: points.map((one) => [one.completion, one.prompt, one.rating, one.reward, one.weight]) }}
    >
      <Scatter label="Reward against rating" dots={points.map((one) => ({ key: one.completion, x: one.rating, y: one.reward, title: `rating ${count(one.rating)}, reward ${signed(one.reward, 3)}` }))} xName="rating" yName="reward" onOpen={onOpen} />
    </Figure>
  );
}
