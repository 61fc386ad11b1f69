/**
 * The page where people judge: read two or more answers, press one key, read the next. It leases ahead, draws ahead,
 * saves behind, and can take everything back. It never learns which model wrote what.
 */
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Desk } from "../annotate/Desk";
import { projectQuery } from "../api/queries";
import { prefetchMarkdown } from "../components/Markdown";
import { useTitle } from "../components/Page";
import { ErrorNote } from "../components/Status";

export function AnnotatePage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/annotate" });
  const project = useQuery(projectQuery(slug));
  const { t } = useTranslation("annotate");
  useTitle(t("title", { name: project.data?.name ?? "" }).trim());
  useEffect(prefetchMarkdown, []);
  if (project.isError && !project.data) return <ErrorNote className="m-6" error={project.error} retry={() => void project.refetch()} />;
  return <Desk key={slug} slug={slug} project={project.data ?? null} />;
}
