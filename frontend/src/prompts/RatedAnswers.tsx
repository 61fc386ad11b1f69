/** The completions of a prompt on one scale, each with its error: how far apart, and how sure. */
import { Figure } from "../components/Figure";
import { Forest } from "../components/Forest";
import { plural, signed } from "../format";
import { CLOSE } from "../ratings/Board";
import { type Answer, groups } from "./standings";

const points = (value: number): string => signed(value, 0);

export function RatedAnswers({ slug, prompt, answers }: { slug: string; prompt: string; answers: readonly Answer[] }) {
  const rated = answers.flatMap((one) => (one.judgments > 0 && one.bradley_terry !== null && one.standard_error !== null ? [{ ...one, value: one.bradley_terry, spread: CLOSE * one.standard_error }] : []));
  const apart = groups(answers);
  if (rated.length < 2) return null;
  return (
    <Figure
      className="mt-6"
      title="Rated answers"
      caption={`Bradley-Terry in Elo points from the mean of this prompt, with 95 % intervals. ${rated.length < answers.length ? `${plural(answers.length - rated.length, "answer")} nobody has judged.` : ""}${apart > 1 ? ` The answers fall into ${apart} groups that were never compared with each other, not even through others: between groups, the order is a guess.` : ""}`}
      file={`${slug}-prompt-${prompt.slice(-8)}`}
      data={{
        columns: ["model", "completion", "elo", "bradley_terry", "standard_error", "chance_of_best", "judgments", "component"],
        rows: answers.map((one) => [one.model.name, one.id, one.rating, one.bradley_terry, one.standard_error, one.best, one.judgments, one.component]),
      }}
    >
      <Forest label="Ratings of the answers" zero={0} format={points} rows={rated.map((one) => ({ key: one.id, name: one.name, value: one.value, low: one.value - one.spread, high: one.value + one.spread, note: `${points(one.value)} ± ${Math.round(one.spread)}` }))} />
    </Figure>
  );
}
