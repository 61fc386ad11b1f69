/** Whether a reward model can be trusted: right how often, as sure as it should be, and no meter of length. */
import type { ReactNode } from "react";
import { Figure } from "../components/Figure";
import { Forest, type ForestRow } from "../components/Forest";
import { Icon } from "../components/Icon";
import { count, percent, signed } from "../format";
import { isReliability, Reliability } from "./Reliability";

export function isRewardReport(values: Record<string, unknown>): values is Record<string, number> {
  return typeof values["held_out/accuracy"] === "number";
}

interface RewardReportProps {
  values: Record<string, unknown>;
  reliability: unknown;
  file: string;
}

export function RewardReport({ values, reliability, file }: RewardReportProps) {
  const of = (name: string): number | null => (typeof values[`held_out/${name}`] === "number" ? (values[`held_out/${name}`] as number) : null);
  const accuracy = of("accuracy")!;
  const [low, high, pairs, agreement] = [of("accuracy_low") ?? accuracy, of("accuracy_high") ?? accuracy, of("accuracy_pairs"), of("agreement")];
  const rows = ROWS.flatMap(([name, words]): ForestRow[] => {
    const value = of(name);
    return value === null ? [] : [{ key: name, name: words, value, low: name === "accuracy" ? low : value, high: name === "accuracy" ? high : value }];
  });
  return (
    <div className="mt-4 grid gap-4">
      <div className="grid gap-3 lg:grid-cols-3">
        <Finding title="Is it right?" alarm={low <= 0.5}>
          On {percent(accuracy)} of {pairs === null ? "the" : count(pairs)} held-out pairs ({percent(0.95)} interval {percent(low)} to {percent(high)}; chance is {percent(0.5)}).
          {low <= 0.5 && " It is not beyond doubt better than chance: collect more judgments before training on it."}
          {agreement !== null && ` Two people agree on ${percent(agreement)} of the pairs that several judged; it can hardly do better.`}
        </Finding>
        <Calibration temperature={of("temperature")} error={of("calibration_error")} />
        <Length alone={of("longer_wins")} correlation={of("score_length_correlation")} alarm={of("no_better_than_length") === 1} />
      </div>
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <Figure
          title="How often it is right"
          caption="Held-out pairs, ties left out; the dashed line is chance. Being right more often where it is surer is a good sign; the answers' length should make no difference."
          file={`${file}-accuracy`}
          data={{ columns: ["of", "right", "low", "high"], rows: rows.map((row) => [row.name, row.value, row.low, row.high]) }}
        >
          <Forest rows={rows} label="How often it is right" zero={0.5} format={(value) => percent(value)} />
        </Figure>
        {isReliability(reliability) && <Reliability bins={reliability} file={file} />}
      </div>
    </div>
  );
}

const ROWS = [
  ["accuracy", "all pairs"],
  ["accuracy_surer", "the half where it is surer"],
  ["accuracy_less_sure", "the half where it is less sure"],
  ["accuracy_longer_preferred", "where the longer won"],
  ["accuracy_shorter_preferred", "where the shorter won"],
  ["longer_wins", "the rule “the longer wins”"],
  ["agreement", "another person, same pairs"],
] as const;

/** Confidence that has to be divided by so much is as good as none. */
const EVEN = 20;
/** Scores that correlate with length by less than this do not go by it. */
const HARDLY = 0.2;

function Calibration({ temperature, error }: { temperature: number | null; error: number | null }) {
  if (temperature === null || error === null) return null;
  const off = temperature > 1.25 || temperature < 0.8;
  if (temperature > EVEN) return <Finding title="Is it as sure as it should be?" alarm>What it says of its confidence helps nobody: it would fit best if all chances were even. PPO would learn from noise.</Finding>;
  return (
    <Finding title="Is it as sure as it should be?" alarm={off}>
      {temperature > 1.25 ? "It is surer than it should be" : temperature < 0.8 ? "It is less sure than it could be" : "Yes"}: its confidence is {percent(error, 1)} off on average, and fits best divided by {temperature.toFixed(2)}.
      {temperature > 1.25 && " PPO will take its differences for larger than they are: raise the price of the KL, or train it shorter."}
    </Finding>
  );
}

function Length({ alone, correlation, alarm }: { alone: number | null; correlation: number | null; alarm: boolean }) {
  if (alone === null || correlation === null) return null;
  return (
    <Finding title="Does it only like length?" alarm={alarm}>
      {alarm ? `It is right no more often than length alone${Math.abs(correlation) < HARDLY ? ", though its scores hardly go by it" : `, so PPO would learn to write ${correlation > 0 ? "longer" : "shorter"}`}.` : "No: it is right more often than length alone."} Taking the longer one is right on {percent(alone)} of the pairs; scores and length correlate by {signed(correlation)}.
    </Finding>
  );
}

function Finding({ title, alarm, children }: { title: string; alarm: boolean; children: ReactNode }) {
  return (
    <section className={`rounded-lg border-l-4 px-4 py-3 ${alarm ? "border-danger bg-danger-wash" : "border-accent bg-accent-wash"}`}>
      <h2 className={`flex items-center gap-2 font-semibold ${alarm ? "text-danger" : "text-accent"}`}><Icon name={alarm ? "alert" : "check"} />{title}</h2>
      <p className="mt-1 text-pretty">{children}</p>
    </section>
  );
}
