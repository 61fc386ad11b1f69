/** One project at a glance: the flow from prompts to runs with what is there, and the next sensible step. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { progressQuery, projectQuery, rewardSetsQuery, runsQuery } from "../api/queries";
import { ratingsQuery } from "../api/ratings";
import type { Project } from "../api/types";
import { ButtonLink } from "../components/Button";
import { ExportPanel } from "../components/ExportPanel";
import { ImportDrop } from "../components/ImportDrop";
import { Markdown } from "../components/Markdown";
import { Page, Section } from "../components/Page";
import { StateBadge } from "../components/StateBadge";
import { Bones, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, KIND_NAMES, runSentence } from "../format";
import { Flow } from "../overview/Flow";
import { HowFar } from "../overview/HowFar";
import { nextStep } from "../overview/nextStep";

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
  const ratings = useQuery(ratingsQuery(slug)).data?.items;
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
      <HowFar slug={slug} project={project} progress={progress} />
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
