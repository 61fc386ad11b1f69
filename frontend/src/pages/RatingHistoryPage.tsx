/** How the models' Elo came about: a line each, over judgments or over time. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { ratingHistoryQuery } from "../api/ratings";
import type { RatingHistory } from "../api/types";
import { Button } from "../components/Button";
import { Segments } from "../components/Field";
import { Figure } from "../components/Figure";
import { Lines, Swatch } from "../components/Lines";
import { Page } from "../components/Page";
import { shortNames } from "../components/plot";
import { Loaded } from "../components/Status";
import { count, plural } from "../format";
import { NoRatings } from "../ratings/NoRatings";

const FIRST = 8;

export function RatingHistoryPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/history" });
  const history = useQuery({ ...ratingHistoryQuery(slug), refetchInterval: 30_000 });
  return (
    <Page
      title="Rating history"
      back={<Link to="/projects/$project/leaderboard" params={{ project: slug }} className="link">Leaderboard</Link>}
      lead="Elo from judgment to judgment. A line that has settled moves little; one that climbs or falls is still finding its place."
    >
      <Loaded query={history}>{(data) => (data.positions.length === 0 ? <NoRatings /> : <History slug={slug} history={data} />)}</Loaded>
    </Page>
  );
}

function History({ slug, history: { positions, times, items } }: { slug: string; history: RatingHistory }) {
  const { models, axis } = useSearch({ from: "/app/projects/$project/history" });
  const navigate = useNavigate({ from: "/projects/$project/history" });
  const chosen = new Set(models === undefined ? items.slice(0, FIRST).map((item) => item.id) : models.split(","));
  const short = shortNames(items.map((item) => item.name));
  const shown = items.map((item, colour) => ({ ...item, colour })).filter((item) => chosen.has(item.id));
  const show = (ids: readonly string[]) => void navigate({ search: { models: ids.length > 0 ? ids.join(",") : "none", axis }, replace: true, resetScroll: false });
  const toggle = (id: string) => show(items.map((item) => item.id).filter((one) => chosen.has(one) !== (one === id)));
  // What came in at one stroke has no dates to speak of.
  const dated = new Set(times).size > 1;
  const time = dated && axis === "date";
  return (
    <Figure
      title="Elo of the models"
      caption={`${plural(shown.length, "model")} of ${count(items.length)}, at ${plural(positions.length, "place")} in ${plural(positions.at(-1)!, "judgment")}. The last value is the rating of now.`}
      file={`${slug}-rating-history`}
      data={{ columns: ["judgments", "time", ...shown.map((item) => item.name)], rows: positions.map((position, at) => [position, times[at], ...shown.map((item) => item.ratings[at])]) }}
      actions={
        dated && (
          <Segments
            label="Axis"
            value={time ? "date" : "judgments"}
            onChange={(value) => void navigate({ search: { models, axis: value === "date" ? "date" : undefined }, replace: true, resetScroll: false })}
            options={[{ value: "judgments", label: "By judgments" }, { value: "date", label: "By date" }]}
          />
        )
      }
    >
      <Lines
        label="Elo of the models"
        x={time ? times.map((at) => Date.parse(at)) : positions}
        time={time}
        xName={time ? undefined : "judgments"}
        lines={shown.map((item) => ({ key: item.id, name: short(item.name), values: item.ratings, colour: item.colour }))}
        within={shown.length === 0 ? [900, 1100] : []}
        height={380}
      />
      <div data-aside="" className="mt-3 border-t border-line pt-2.5">
        <div className="mb-1.5 flex flex-wrap items-center gap-x-1 text-sm">
          <h3 className="mr-2 font-medium">Models</h3>
          <Button look="quiet" className="min-h-7 px-2!" onClick={() => show(items.slice(0, FIRST).map((item) => item.id))}>First {FIRST}</Button>
          <Button look="quiet" className="min-h-7 px-2!" onClick={() => show(items.map((item) => item.id))}>All</Button>
          <Button look="quiet" className="min-h-7 px-2!" onClick={() => show([])}>None</Button>
        </div>
        <ul className="grid max-h-60 grid-cols-[repeat(auto-fill,minmax(15rem,1fr))] gap-x-3 gap-y-px overflow-y-auto text-sm">
          {items.map((item, colour) => {
            const on = chosen.has(item.id);
            return (
              <li key={item.id}>
                <button type="button" aria-pressed={on} onClick={() => toggle(item.id)} className={`flex min-h-7 w-full items-center gap-2 rounded-md px-1.5 text-left hover:bg-sunken ${on ? "text-ink" : "text-faint"}`}>
                  <span className={on ? "" : "opacity-25"}><Swatch at={colour} /></span>
                  <span className="min-w-0 flex-1 truncate" title={item.name}>{short(item.name)}</span>
                  <span className="tabular-nums">{count(item.ratings.at(-1) ?? 1000)}</span>
                </button>
              </li>
            );
          })}
        </ul>
      </div>
    </Figure>
  );
}
