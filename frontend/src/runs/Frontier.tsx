/** How far a policy went from its reference, and what an independent judge thought of it there beside what its reward said. */
import type { MetricPoint, Run } from "../api/types";
import { Figure } from "../components/Figure";
import { Lines } from "../components/Lines";
import { figure } from "../format";
import { looks } from "./metricRows";

export function Frontier({ run, points }: { run: Run; points: readonly MetricPoint[] }) {
  const seen = looks(points);
  if (seen.length < 2) return null;
  const lines = [
    { key: "judge", name: "judge", values: seen.map((one) => one.judge) },
    { key: "reward", name: "reward", values: seen.map((one) => one.reward) },
  ];
  return (
    <Figure
      title="Frontier"
      caption="Held-out prompts: the score of the independent judge, and the reward that the policy is trained on, by how far the policy is from its reference. Where the reward still rises and the judge falls, the policy cheats its reward."
      file={`${run.name}-frontier`}
      data={{ columns: ["step", "sqrt_kl_nats", "judge", "reward"], rows: seen.map((one) => [one.step, one.distance, one.judge, one.reward]) }}
      className="mb-4"
    >
      <Lines label="Scores by the distance from the reference" x={seen.map((one) => one.distance)} lines={lines} xName="square root of the KL divergence, nats an answer" yName="score" format={figure} />
    </Figure>
  );
}
