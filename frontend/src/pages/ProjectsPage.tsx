/** All projects, each with how far it is; annotators see what they can judge. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useRouteContext, useSearch } from "@tanstack/react-router";
import { archivedProjectsQuery, projectsQuery } from "../api/queries";
import type { Project } from "../api/types";
import { ButtonLink } from "../components/Button";
import { Segments } from "../components/Field";
import { LinkCard } from "../components/LinkCard";
import { Page } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, plural } from "../format";
import { ChooseProjectPage } from "./ChooseProjectPage";

export function ProjectsPage() {
  const { me } = useRouteContext({ from: "/app" });
  return me.user.role === "admin" ? <AllProjects /> : <ChooseProjectPage />;
}

function AllProjects() {
  const { archived } = useSearch({ from: "/app/projects" });
  const navigate = useNavigate({ from: "/projects" });
  const projects = useQuery(archived ? archivedProjectsQuery : projectsQuery);
  return (
    <Page
      title="Projects"
      lead="A project is one study: its guidelines, what is asked, its prompts, its people and its models."
      actions={<ButtonLink to="/new-project" look="primary" icon="plus">New project</ButtonLink>}
    >
      <Segments
        label="Which projects"
        value={archived ? "archived" : "current"}
        onChange={(shown) => void navigate({ search: { archived: shown === "archived" || undefined }, replace: true })}
        options={[{ value: "current", label: "Current" }, { value: "archived", label: "Archived" }]}
        className="mb-3"
      />
      <Loaded query={projects}>
        {({ items }) =>
          items.length === 0 && archived ? (
            <Empty icon="book" title="Nothing is archived">A project that is archived in its settings leaves the lists and waits here, with all that was judged.</Empty>
          ) : items.length === 0 ? (
            <Empty icon="book" title="No project yet" action={<ButtonLink to="/new-project" look="primary">Make the first project</ButtonLink>}>
              Begin with a name and a few lines on what makes an answer good.
            </Empty>
          ) : (
            <ul className="grid gap-3 lg:grid-cols-2">
              {items.map((project) => <Card key={project.id} project={project} />)}
            </ul>
          )
        }
      </Loaded>
    </Page>
  );
}

function Card({ project }: { project: Project }) {
  const { counts, protocol } = project;
  const asked = protocol.size > 2 ? `ranking of ${protocol.size}` : protocol.strength_levels > 0 ? `pairs, ${protocol.strength_levels} degrees` : "pairs";
  return (
    <LinkCard
      link={<Link to="/projects/$project" params={{ project: project.slug }}>{project.name}</Link>}
      state={project.state === "active" ? undefined : project.state}
    >
      <p className="mt-1 text-soft">
        {plural(counts.prompts, "prompt")}, {plural(counts.completions, "completion")} of {plural(counts.models, "model")}; {plural(counts.judgments, "judgment")} by {count(counts.annotators)} {counts.annotators === 1 ? "person" : "people"}
      </p>
      <p className="mt-1 text-sm text-faint">{asked} · made <Time at={project.created_at} /></p>
    </LinkCard>
  );
}
