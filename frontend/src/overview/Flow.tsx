/** The stations of a project in the order of the work, each with what is there; the last leads back to the first. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Progress, Project, Rating, RewardSet, Run } from "../api/types";
import { Icon, type IconName } from "../components/Icon";
import { shortNames } from "../components/plot";
import { count, percent, plural } from "../format";

interface FlowProps {
  slug: string;
  project: Project;
  progress: Progress | undefined;
  ratings: Rating[] | undefined;
  sets: RewardSet[] | undefined;
  runs: Run[] | undefined;
}

export function Flow({ slug, project, progress, ratings, sets, runs }: FlowProps) {
  const { counts } = project;
  const done = progress && progress.wanted > 0 ? Math.min(1, progress.judgments / progress.wanted) : null;
  const leader = ratings?.[0]?.name;
  const running = runs?.filter((run) => run.state === "running").length ?? 0;
  const params = { project: slug };
  const stations: { icon: IconName; label: string; value: ReactNode; note: string; title?: string; to: string; search?: object }[] = [
    { icon: "prompts", label: "Prompts", value: count(counts.prompts), note: counts.prompts === 0 ? "none yet" : "to be answered", to: "/projects/$project/prompts" },
    { icon: "models", label: "Completions", value: count(counts.completions), note: `of ${plural(counts.models, "model")}`, to: "/projects/$project/prompts" },
    { icon: "judgments", label: "Judgments", value: count(counts.judgments), note: done === null ? `${plural(counts.annotators, "annotator")}` : `${percent(done)} of ${count(progress!.wanted)}`, to: "/projects/$project/judgments" },
    { icon: "leaderboard", label: "Ratings", value: ratings ? count(ratings.length) : "–", note: leader ? `${shortNames(ratings!.map((one) => one.name))(leader)} leads` : "models rated", ...(leader && { title: leader }), to: "/projects/$project/leaderboard" },
    { icon: "rewards", label: "Reward sets", value: sets ? count(sets.length) : "–", note: sets?.[0] ? `latest: ${sets[0].name}` : "none frozen", to: "/projects/$project/rewards" },
    { icon: "runs", label: "Runs", value: runs ? count(runs.length) : "–", note: running > 0 ? `${count(running)} running` : "none running", to: "/runs", search: { project: slug } },
  ];
  return (
    <nav aria-label="The flow of this project" className="panel overflow-hidden">
      <ol className="grid grid-cols-2 gap-px bg-line sm:grid-cols-3 xl:grid-cols-6">
        {stations.map((station, at) => (
          <li key={station.label} className="relative bg-surface">
            <Link to={station.to} params={params as never} search={station.search as never} className="block h-full px-4 py-3.5 hover:bg-sunken focus-visible:-outline-offset-2">
              <span className="flex items-center gap-1.5 text-sm text-faint"><Icon name={station.icon} size={14} /> {station.label}</span>
              <span className="title mt-1 block text-2xl">{station.value}</span>
              <span className="block truncate text-sm text-soft" title={station.title ?? station.note}>{station.note}</span>
            </Link>
            {at < stations.length - 1 && <span aria-hidden="true" className="absolute top-1/2 -right-2 z-10 hidden size-4 -translate-y-1/2 rotate-45 border-t border-r border-line bg-surface xl:block" />}
          </li>
        ))}
      </ol>
      {done !== null && (
        <div role="progressbar" aria-label="Judgments wanted" aria-valuenow={Math.round(done * 100)} aria-valuemin={0} aria-valuemax={100} className="h-1 bg-sunken">
          <div className="h-full bg-accent transition-[width]" style={{ width: `${done * 100}%` }} />
        </div>
      )}
    </nav>
  );
}
