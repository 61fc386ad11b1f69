/** Which fit slopes and leans are from, a way to fit now, and the slopes of the busiest on one scale. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { annotatorFitQuery, fitAnnotators } from "../api/quality";
import { projectChanged } from "../api/queries";
import type { Worker } from "../api/types";
import { Button } from "../components/Button";
import { Figure } from "../components/Figure";
import { Forest } from "../components/Forest";
import { ErrorNote } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";
import { plural, signed } from "../format";
import { CLOSE } from "./Whisker";

export function FitLine({ slug }: { slug: string }) {
  const client = useQueryClient();
  const fit = useQuery(annotatorFitQuery(slug)).data;
  const action = useAction();
  if (fit === undefined) return null;
  const again = () => action.run(async () => {
    await fitAnnotators(slug);
    await projectChanged(client, slug);
  }, "Slopes and leans are fitted.");
  return (
    <div className="mb-3 grid gap-2">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-soft">
        {fit ? (
          <span>Slope and lean are those of fit {fit.number}, from {plural(fit.judgments, "judgment")}, <Time at={fit.created_at} />.</span>
        ) : (
          <span>Slope and lean of each person are fitted as soon as there are enough judgments.</span>
        )}
        <Button look="quiet" className="-ml-3.5" busy={action.busy} onClick={() => void again()}>Fit now</Button>
      </p>
      <ErrorNote error={action.problem} />
    </div>
  );
}

const MOST = 40;

export function SlopesFigure({ people }: { people: readonly Worker[] }) {
  const fitted = people.filter((person) => person.slope !== null);
  if (fitted.length === 0) return null;
  const shown = fitted.toSorted((a, b) => b.judgments - a.judgments).slice(0, MOST).toSorted((a, b) => b.slope! - a.slope!);
  return (
    <Figure
      className="mt-8"
      title="Slopes"
      file="annotators"
      tabled
      caption={<>How sharply people see what the crowd sees, with 95 % intervals: 1 is the average vote, 0 is guessing, below 0 is contrary. Where ratings are weighted, votes count by it.{fitted.length > MOST && ` The ${MOST} busiest of ${fitted.length}; the data has all.`}</>}
      data={{
        columns: ["annotator", "judgments", "slope", "slope error", "lean", "lean error", "with majority", "same again", "gold right", "signs"],
        rows: people.map((one) => [one.name, one.judgments, one.slope, one.slope_error, one.lean, one.lean_error, one.majority_agreement, one.repeat_consistency, one.gold_right_share, one.signs.map((sign) => sign.name).join(" ")]),
      }}
    >
      <Forest
        label={`Slopes of ${plural(shown.length, "person", "people")}, with intervals; the table above has them in figures`}
        zero={0}
        format={(value) => signed(value, 1)}
        rows={shown.map((one) => ({ key: one.id, name: one.name, value: one.slope!, low: one.slope! - CLOSE * one.slope_error!, high: one.slope! + CLOSE * one.slope_error!, note: signed(one.slope!) }))}
      />
    </Figure>
  );
}
