/** Where the annotators' work stands: the forecast in a sentence, and what waits for an admin. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { annotatorsQuery } from "../api/queries";
import { disagreementsQuery, flagsQuery, goldQuery, skipsQuery } from "../api/quality";
import type { Progress, Project } from "../api/types";
import { count, plural } from "../format";
import { forecast } from "./forecast";

export function HowFar({ slug, project, progress }: { slug: string; project: Project; progress: Progress | undefined }) {
  const people = useQuery(annotatorsQuery(slug)).data?.items;
  const gold = useQuery(goldQuery(slug)).data;
  const flags = useQuery(flagsQuery(slug, true)).data;
  const skips = useQuery(skipsQuery(slug)).data;
  const disputes = useInfiniteQuery(disagreementsQuery(slug, false)).data?.pages[0];
  if (!progress || progress.wanted === 0) return null;
  const params = { project: slug };
  const today = people?.reduce((sum, person) => sum + person.today, 0) ?? 0;
  const open = disputes?.items.length ?? 0;
  const standOut = people?.filter((person) => person.signs.length > 0).length ?? 0;
  const waiting = (flags?.items.length ?? 0) + (skips?.items.length ?? 0) + standOut;
  const used = gold?.filter((one) => one.retired_at === null).length ?? 0;
  return (
    <section aria-label="How far it is" className="panel mt-4 px-5 py-3.5">
      <p className="text-md font-medium">{forecast(progress)}</p>
      <ul className="mt-1.5 flex flex-wrap gap-x-6 gap-y-1 text-soft">
        <li>{count(progress.judgments)} of {count(progress.wanted)} judgments{today > 0 && `, ${count(today)} today`}</li>
        <li><Link to="/projects/$project/asking" params={params} className="link">{progress.target_error === null ? "what to ask next" : `${count(progress.settled)} of ${plural(project.counts.prompts, "prompt")} settled`}</Link></li>
        <li><Link to="/projects/$project/annotators" params={params} className="link">{plural(people?.length ?? project.counts.annotators, "annotator")}</Link>{progress.open_leases > 0 && `, ${count(progress.open_leases)} comparisons on their screens`}</li>
        <li><Link to="/projects/$project/attention" params={params} className="link">{waiting === 0 ? "nothing to look at" : `${count(waiting)}${flags?.next || skips?.next ? "+" : ""} to look at`}</Link></li>
        {(project.overlap > 1 || open > 0) && <li><Link to="/projects/$project/disagreements" params={params} className="link">{open === 0 ? "no disagreement" : `${plural(open, "disagreement")}${disputes?.next ? " and more" : ""}`}</Link></li>}
        <li><Link to="/projects/$project/gold" params={params} className="link">{used === 0 ? "no gold" : `${count(used)} gold`}</Link></li>
      </ul>
    </section>
  );
}
