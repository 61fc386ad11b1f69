/** How far policies went from their reference, and what was thought of them there: of one run by its judge and by its reward, of several by what they can be compared by. */
import { memo, type ReactNode } from "react";
import type { Run } from "../api/types";
import { Figure } from "../components/Figure";
import { type Line, Lines } from "../components/Lines";
import type { Curve } from "../components/metrics";
import { overSeries } from "../components/plot";
import type { Rows } from "../components/rows";
import { figure } from "../format";
import { along, BY, comparedBy, sameReward, thinned, together } from "./frontier";

interface Followed {
  run: Run;
  curves: ReadonlyMap<string, Curve>;
}

/** More places than these of a noisy score would be a scribble. */
const MOST = 24;

export const Frontier = memo(({ run, curves, others }: Followed & { others: readonly Followed[] }) => (others.length === 0 ? <OfOne run={run} curves={curves} /> : <OfSeveral runs={[{ run, curves }, ...others]} />));

function OfOne({ run, curves }: Followed) {
  const seen = along(curves, BY.judge.kl, [BY.judge.score, "judge/reward"]);
  const lines = ["judge", "reward"].map((name, at) => ({ key: name, name, values: seen.map((one) => one.values[at]!) }));
  return (
    <Drawn
      run={run}
      x={seen.map((one) => one.distance)}
      lines={lines}
      caption="Held-out prompts: the score of the independent judge, and the reward that the policy is trained on, by how far the policy is from its reference. Where the reward still rises and the judge falls, the policy cheats its reward."
      data={{ columns: ["step", "sqrt_kl_nats", "judge", "reward"], rows: seen.map((one) => [one.step, one.distance, ...one.values]) }}
    />
  );
}

const COMPARED = {
  judge: "Held-out prompts: the score of the judge that all of these runs have, by how far their policies are from the reference.",
  score: "The mean score of each round’s answers, by how far the policies are from the reference; where there are many rounds, those side by side are averaged. It is what they are trained on, and may be cheated; give them all the same judge to be sure.",
};

function OfSeveral({ runs }: { runs: readonly Followed[] }) {
  const by = comparedBy(runs.map(({ run, curves }) => ({ config: run.config, curves })));
  const seen = runs.map(({ curves }) => along(curves, BY[by].kl, [BY[by].score]));
  const { x, values } = together(by === "judge" ? seen : seen.map((places) => thinned(places, MOST)));
  const comparable = by === "judge" || sameReward(runs.map(({ run }) => run));
  return (
    <Drawn
      run={runs[0]!.run}
      x={x}
      lines={runs.map(({ run }, at) => ({ key: run.id, name: run.name, values: values[at]!, colour: at === 0 ? 0 : overSeries(at - 1) }))}
      caption={<>{COMPARED[by]} {comparable ? "At the same distance the higher line is the better run." : "These runs are trained on different rewards, so their heights cannot be compared."}</>}
      data={{ columns: ["run", "step", "sqrt_kl_nats", by], rows: seen.flatMap((places, at) => places.map((one) => [runs[at]!.run.name, one.step, one.distance, ...one.values])) }}
    />
  );
}

function Drawn({ run, x, lines, caption, data }: { run: Run; x: number[]; lines: Line[]; caption: ReactNode; data: Rows }) {
  if (x.length < 2) return null;
  return (
    <Figure title="Frontier" caption={caption} file={`${run.name}-frontier`} data={data} className="mb-4">
      <Lines label="Scores by the distance from the reference" x={x} lines={lines} xName="square root of the KL divergence, nats an answer" yName="score" format={figure} />
    </Figure>
  );
}
