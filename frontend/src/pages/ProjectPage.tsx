/** One project at a glance: the flow from prompts to runs with what is there, and the next sensible step. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { progressQuery, projectQuery, ratingsQuery, rewardSetsQuery, runsQuery } from "../api/queries";
import type { Progress, Project, Rating, RewardSet, Run } from "../api/types";
import { ButtonLink } from "../components/Button";
import { ExportPanel } from "../components/ExportPanel";
import { Icon, type IconName } from "../components/Icon";
import { ImportDrop } from "../components/ImportDrop";
import { Markdown } from "../components/Markdown";
import { Page, Section } from "../components/Page";
import { StateBadge } from "../components/StateBadge";
import { Bones, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, KIND_NAMES, percent, plural, runSentence } from "../format";

const LIVE_MS = 5_000;

export function ProjectPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/" });
  const project = useQuery({ ...projectQuery(slug), refetchInterval: LIVE_MS });
  return (
    <Loaded query={project} bones={<Bones rows={8} />}>
      {(data) => <Overview slug={slug} project={data} />}
    </Loaded>
  );
}

function Overview({ slug, project }: { slug: string; project: Project }) {
  const progress = useQuery({ ...progressQuery(slug), refetchInterval: LIVE_MS }).data;
  const ratings = useQuery(ratingsQuery(slug, "elo", null)).data?.items;
  const sets = useQuery(rewardSetsQuery(slug)).data?.items;
  const runs = useQuery({ ...runsQuery({ project: slug }), refetchInterval: LIVE_MS }).data?.items;
  const kinds = new Set(runs?.filter((run) => run.state === "succeeded").map((run) => run.kind));
  const step = runs && sets ? nextStep(project, progress, sets, kinds) : null;
  return (
    <Page
      title={project.name}
      lead={project.state === "active" ? undefined : <span className="text-warn">This project is {project.state}: nothing is handed out. <Link to="/projects/$project/settings" params={{ project: slug }} className="link">Change that in the settings.</Link></span>}
      actions={<ButtonLink to="/projects/$project/annotate" params={{ project: slug }} icon="annotate">Annotate</ButtonLink>}
    >
      <Flow slug={slug} project={project} progress={progress} ratings={ratings} sets={sets} runs={runs} />
      {step && (
        <aside aria-label="Next step" className="mt-4 flex flex-wrap items-center gap-x-4 gap-y-3 rounded-lg bg-accent-wash px-5 py-3.5">
          <p className="min-w-0 flex-1 basis-72"><span className="font-medium text-accent">Next: </span>{step.text}</p>
          {step.action}
        </aside>
      )}
      <div className="grid grid-cols-1 gap-x-8 lg:grid-cols-2">
        <Section title="Running and recent" actions={<Link to="/runs" search={{ project: slug }} className="link text-sm">All runs</Link>}>
          {runs && runs.length > 0 ? (
            <ul className="panel divide-y divide-line">
              {runs.slice(0, 5).map((run) => (
                <li key={run.id} className="flex items-center gap-3 px-4 py-2.5">
                  <div className="min-w-0 flex-1">
                    <Link to="/runs/$run" params={{ run: run.id }} className="link font-medium">{run.name}</Link>
                    <span className="text-faint"> · {KIND_NAMES[run.kind] ?? run.kind}</span>
                    <p className="truncate text-sm text-faint">{run.state === "running" ? runSentence(run) : <Time at={run.finished_at ?? run.created_at} />}</p>
                  </div>
                  <StateBadge state={run.state} />
                </li>
              ))}
            </ul>
          ) : (
            <p className="panel p-4 text-soft">No run yet. A run samples completions, trains a reward model, or improves a policy.</p>
          )}
        </Section>
        <Section title="Guidelines" actions={<Link to="/projects/$project/settings" params={{ project: slug }} className="link text-sm">Edit</Link>}>
          <div className="panel max-h-72 overflow-y-auto p-4" tabIndex={0} role="region" aria-label="Guidelines">
            {project.guidelines.trim() === "" ? (
              <p className="text-soft">There are none yet. Two sentences on what makes an answer good raise agreement more than anything else.</p>
            ) : (
              <Markdown text={project.guidelines} />
            )}
          </div>
          <p className="mt-1.5 text-sm text-faint">Version {count(project.guidelines_version)}</p>
        </Section>
      </div>
      <Section title="Put data in"><ImportDrop slug={slug} /></Section>
      <Section title="Take data out"><ExportPanel slug={slug} /></Section>
    </Page>
  );
}

interface FlowProps {
  slug: string;
  project: Project;
  progress: Progress | undefined;
  ratings: Rating[] | undefined;
  sets: RewardSet[] | undefined;
  runs: Run[] | undefined;
}

/** The stations in the order of the work; the last leads back to the first. */
function Flow({ slug, project, progress, ratings, sets, runs }: FlowProps) {
  const { counts } = project;
  const done = progress && progress.wanted > 0 ? Math.min(1, progress.judgments / progress.wanted) : null;
  const running = runs?.filter((run) => run.state === "running").length ?? 0;
  const params = { project: slug };
  const stations: { icon: IconName; label: string; value: ReactNode; note: ReactNode; to: string; search?: object }[] = [
    { icon: "prompts", label: "Prompts", value: count(counts.prompts), note: counts.prompts === 0 ? "none yet" : "to be answered", to: "/projects/$project/prompts" },
    { icon: "models", label: "Completions", value: count(counts.completions), note: `of ${plural(counts.models, "model")}`, to: "/projects/$project/prompts" },
    { icon: "judgments", label: "Judgments", value: count(counts.judgments), note: done === null ? `${plural(counts.annotators, "annotator")}` : `${percent(done)} of ${count(progress!.wanted)}`, to: "/projects/$project/judgments" },
    { icon: "leaderboard", label: "Ratings", value: ratings ? count(ratings.length) : "–", note: ratings?.[0] ? `${ratings[0].name} leads` : "models rated", to: "/projects/$project/leaderboard" },
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
              <span className="block truncate text-sm text-soft" title={typeof station.note === "string" ? station.note : undefined}>{station.note}</span>
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

interface Step {
  text: string;
  action?: ReactNode;
}

function nextStep(project: Project, progress: Progress | undefined, sets: RewardSet[], kinds: Set<string>): Step | null {
  const { counts, slug } = project;
  const run = (kind: string, label: string) => <ButtonLink to="/projects/$project/new-run" params={{ project: slug }} search={{ kind }} look="primary">{label}</ButtonLink>;
  if (counts.prompts === 0) return { text: "Import prompts below, or a whole preference data set." };
  if (counts.completions < 2 * counts.prompts) return { text: "Every prompt needs at least two completions to compare. Let models answer, or import answers.", action: run("sample", "Sample completions") };
  if (counts.judgments === 0) return { text: "Invite annotators with a link, or judge the first comparisons yourself.", action: <ButtonLink to="/people" look="primary">Invite people</ButtonLink> };
  const share = progress && progress.wanted > 0 ? progress.judgments / progress.wanted : 1;
  if (sets.length === 0) {
    if (share < 0.5 && counts.judgments < 200) return { text: "Keep judging. Some hundred judgments give the first useful rewards.", action: <ButtonLink to="/projects/$project/annotate" params={{ project: slug }} look="primary">Annotate</ButtonLink> };
    return { text: "There are enough judgments to freeze a reward set from the ratings.", action: <ButtonLink to="/projects/$project/rewards" params={{ project: slug }} look="primary">Make a reward set</ButtonLink> };
  }
  if (!kinds.has("reward_model")) return { text: "Train a reward model on the reward set.", action: run("reward_model", "Train a reward model") };
  if (!kinds.has("ppo")) return { text: "Improve a policy against the reward model.", action: run("ppo", "Start PPO") };
  return { text: "Let the new policy answer the prompts, so that people can compare it with the others.", action: run("sample", "Sample completions") };
}
