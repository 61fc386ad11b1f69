/** The projects as an annotator sees them: what is asked, and whether there is work. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { projectsQuery } from "../api/queries";
import type { Project } from "../api/types";
import { LinkCard } from "../components/LinkCard";
import { Page } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { count } from "../format";

export function ChooseProjectPage() {
  const { t } = useTranslation("projects");
  const projects = useQuery(projectsQuery);
  return (
    <Page translated title={t("title")} lead={t("lead")}>
      <Loaded query={projects}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="book" title={t("none")}>{t("noneText")}</Empty>
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
  const { t } = useTranslation("projects");
  const { size, strength_levels } = project.protocol;
  const asked = size > 2 ? t("ranking", { count: size, n: count(size) }) : strength_levels > 0 ? t("graded") : t("pair");
  return (
    <LinkCard
      link={<Link to="/projects/$project/annotate" params={{ project: project.slug }}>{project.name}</Link>}
      state={project.state === "active" ? undefined : t(`state.${project.state}`)}
    >
      <p className="mt-1 text-soft">{asked}</p>
      <p className="mt-1 text-sm text-faint">{project.state === "active" ? t("judged", { count: project.counts.judgments, n: count(project.counts.judgments) }) : t("stopped")}</p>
    </LinkCard>
  );
}
