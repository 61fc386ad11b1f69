/** The course of agreement, consistency and gold over time or by version of the guidelines, as lines with bands. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { agreementHistoryQuery } from "../api/quality";
import type { AgreementPoint, Share } from "../api/types";
import { Segments } from "../components/Field";
import { Figure } from "../components/Figure";
import { type Line, Lines } from "../components/Lines";
import type { Cell } from "../components/rows";
import { Empty, Loaded } from "../components/Status";
import { day, plural } from "../format";
import { CLOSE } from "./Whisker";

type By = "time" | "guidelines_version";

interface Series {
  name: string;
  of: (point: AgreementPoint) => { value: number; low: number; high: number } | null;
}

const spread = (value: number | null, error: number | null) => (value === null ? null : { value, low: value - CLOSE * (error ?? 0), high: value + CLOSE * (error ?? 0) });
const wilson = (share: Share | null) => (share === null ? null : { value: share.share, low: share.low, high: share.high });

const REPEATS: Series = { name: "Same again", of: (point) => wilson(point.repeat_consistency) };
const GOLD: Series = { name: "Gold right", of: (point) => wilson(point.gold) };
const ORDINAL: Series = { name: "α ordinal", of: (point) => spread(point.alpha_ordinal, point.alpha_ordinal_error) };
const OF_ALL: readonly Series[] = [
  { name: "With majority", of: (point) => spread(point.majority_agreement, point.majority_agreement_error) },
  { name: "α nominal", of: (point) => spread(point.alpha_nominal, point.alpha_nominal_error) },
  ORDINAL,
  { name: "α interval", of: (point) => spread(point.alpha_interval, point.alpha_interval_error) },
  REPEATS,
  GOLD,
];
const OF_ONE: readonly Series[] = [{ name: "With majority", of: (point) => wilson(point.agreement) }, REPEATS, GOLD];

export function Course({ slug, annotator, file }: { slug: string; annotator?: string; file: string }) {
  const [by, setBy] = useState<By>("time");
  const history = useQuery(agreementHistoryQuery(slug, by, annotator));
  return (
    <Loaded query={history}>
      {({ items }) => {
        const all = annotator === undefined ? OF_ALL : OF_ONE;
        const used = all.filter((series) => items.some((point) => series.of(point) !== null) && !(series === ORDINAL && items.every(sameAsInterval)));
        const told = by === "time" ? "What was judged in each stretch of time" : "What was judged under each version of the guidelines";
        const whose = annotator === undefined ? "Only answers of the same stretch are held against each other." : "Held against all that others said of the same.";
        return (
          <Figure
            title={`${annotator === undefined ? "Agreement" : "Care"} ${by === "time" ? "over time" : "by guidelines"}`}
            file={`${file}-${by === "time" ? "over-time" : "by-guidelines"}`}
            caption={`${told}, with 95 % intervals. ${whose}`}
            words={used.length === 0 || items.length === 1}
            actions={<Segments label="Course" value={by} onChange={setBy} options={[{ value: "time", label: "Over time" }, { value: "guidelines_version", label: "By guidelines" }]} />}
            data={{
              columns: [by === "time" ? "period" : "guidelines version", "from", "to", "judgments", ...used.flatMap(({ name }) => [name, `${name} low`, `${name} high`])],
              rows: items.map((point): Cell[] => [point.label, point.from, point.to, point.judgments, ...used.flatMap((series) => ends(series.of(point)))]),
            }}
          >
            {used.length === 0 ? (
              <Empty icon="team" level={2} title="Nothing to tell it from yet">Agreement needs the same answers judged by two people; gold and repeats are set in the settings.</Empty>
            ) : items.length === 1 ? (
              <p className="py-4 text-soft">{single(items[0]!, by)}</p>
            ) : (
              <Lines
                label={`${used.map(({ name }) => name).join(", ")}, ${by === "time" ? "over time" : "by version of the guidelines"}`}
                time={by === "time"}
                {...(by === "time" ? {} : { xName: "version of the guidelines" })}
                x={items.map((point) => (by === "time" ? Date.parse(point.from) : Number(point.label)))}
                lines={used.map((series) => lineOf(series, all.indexOf(series), items, annotator === undefined || series === all[0]))}
                format={(value) => value.toFixed(2)}
                within={[0, 1]}
              />
            )}
          </Figure>
        );
      }}
    </Loaded>
  );
}

/** A course begins with its second point; of the first, the numbers are in the table. */
function single(point: AgreementPoint, by: By): string {
  const judged = `${plural(point.judgments, "judgment")} so far ${point.judgments === 1 ? "was" : "were"}`;
  return by === "time"
    ? `The ${judged} made on ${day(new Date(point.from))}: a course shows from the second day on.`
    : `The ${judged} made under version ${point.label} of the guidelines: a course shows once people have judged under another.`;
}

/** So it is where nobody is asked how strong a preference is. */
function sameAsInterval({ alpha_ordinal: ordinal, alpha_interval: interval }: AgreementPoint): boolean {
  return Math.abs((ordinal ?? 0) - (interval ?? 0)) < 1e-9;
}

function ends(found: ReturnType<Series["of"]>): Cell[] {
  return found === null ? [null, null, null] : [found.value, found.low, found.high];
}

/** One person's gold and repeats are a few in each stretch: their bands would cover all; the data has them. */
function lineOf(series: Series, colour: number, items: readonly AgreementPoint[], banded: boolean): Line {
  const found = items.map(series.of);
  const line = { key: series.name, name: series.name, colour, values: found.map((one) => one?.value ?? null) };
  return banded ? { ...line, low: found.map((one) => one?.low ?? null), high: found.map((one) => one?.high ?? null) } : line;
}
