/** What a run will take, told on its form before it starts: as much as can be known, and what cannot. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { runEstimateQuery } from "../api/queries";
import type { RunEstimate } from "../api/types";
import { Fact, Facts } from "../components/Facts";
import { Bones } from "../components/Status";
import { bytes, duration, plural } from "../format";

const PAUSE_MS = 400;

interface EstimateProps {
  slug: string;
  kind: string;
  /** Null while something in the form is missing or wrong. */
  config: Record<string, unknown> | null;
}

export function Estimate({ slug, kind, config }: EstimateProps) {
  const asked = useSettled(config === null ? null : JSON.stringify(config));
  const estimate = useQuery({ ...runEstimateQuery(slug, kind, asked ?? "{}"), enabled: asked !== null, placeholderData: keepPreviousData });
  return (
    <section aria-label="What it will take" aria-busy={estimate.isFetching} className="panel px-5 py-4">
      <h2 className="title text-lg">What it will take</h2>
      {config === null || asked === null ? (
        <p className="mt-1 text-soft">Told here as soon as the fields above are filled in.</p>
      ) : estimate.isError ? (
        <p className="mt-1 text-warn">{estimate.error.message}</p>
      ) : estimate.data ? (
        <Told estimate={estimate.data} />
      ) : (
        <Bones rows={2} />
      )}
    </section>
  );
}

function Told({ estimate: { steps, unit, seconds, like, room, unknown, advice } }: { estimate: RunEstimate }) {
  return (
    <>
      <Facts className="mt-2">
        <Fact name="Work" value={unit === "round" ? plural(steps, unit) : `about ${plural(roughly(steps), unit)}`} />
        {seconds !== null && <Fact name="Time" value={`about ${duration(roughly(seconds))}`} />}
        {room && <Fact name="Memory" value={`${size(room.gpu)} of each GPU`} hint="At the worst moment, besides what the program itself takes." />}
        {room && <Fact name="Without a GPU" value={size(room.cpu)} hint="Of the machine's memory, at the worst moment, besides what the program itself takes." />}
        {room && room.folder > 0 && <Fact name="Disk" value={size(room.folder)} hint="For saved states while it runs, and for its result." />}
        {room && room.stored > 0 && <Fact name="Checkpoint" value={size(room.stored)} />}
      </Facts>
      <div className="mt-2.5 grid gap-1 text-sm text-soft">
        {like && <p>The time goes by <Link to="/runs/$run" params={{ run: like.id }} className="link">{like.name}</Link>, which took {duration(like.seconds)} on the same model; on another machine, or beside other runs, it will differ.</p>}
        {room && <p>Memory and disk are right to about a third. What is free only the worker knows: it looks before it loads anything, and refuses a run that clearly does not fit.</p>}
        {unknown.map((one) => <p key={one}>{one}</p>)}
        {advice.map((one) => <p key={one} className="text-warn">{one}</p>)}
      </div>
    </>
  );
}

/** Two figures: an estimate should not look more exact than it is. */
function roughly(value: number): number {
  return value < 100 ? Math.round(value) : Number(value.toPrecision(2));
}

const size = (value: number): string => `about ${bytes(roughly(value)).replace(".0 ", " ")}`;

/** A value that has not changed for a moment. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
