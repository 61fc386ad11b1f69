/** A project's settings: the form it was made with, what a change brings about, and whether it is open. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { changeProject, progressQuery, projectChanged, projectQuery } from "../api/queries";
import type { Project } from "../api/types";
import { announce } from "../components/announcer";
import { Page } from "../components/Page";
import { Loaded } from "../components/Status";
import { count } from "../format";
import { consequences } from "../setup/consequences";
import { changesOf, draftOf } from "../setup/draft";
import { EarlierGuidelines } from "../setup/EarlierGuidelines";
import { ProjectForm } from "../setup/ProjectForm";
import { ProjectState } from "../setup/ProjectState";

export function ProjectSettingsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/settings" });
  const project = useQuery(projectQuery(slug));
  return (
    <Page wide title="Settings" back={<Link to="/projects/$project" params={{ project: slug }} className="link">{project.data?.name ?? "Project"}</Link>}>
      <Loaded query={project}>
        {(data) => (
          <>
            <ProjectState project={data} />
            <Settings key={data.id} project={data} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Settings({ project }: { project: Project }) {
  const { slug } = project;
  const client = useQueryClient();
  const progress = useQuery(progressQuery(slug)).data;
  // What was typed lies over the project as it is, which may change meanwhile.
  const [typed, setTyped] = useState<Partial<ReturnType<typeof draftOf>>>({});
  const draft = { ...draftOf(project), ...typed };
  const changes = changesOf(draft, project);

  const save = async () => {
    const changed = await changeProject(slug, changes);
    client.setQueryData(projectQuery(slug).queryKey, changed);
    setTyped({});
    announce("Saved.");
    await projectChanged(client, slug);
  };

  return (
    <ProjectForm
      label="Settings"
      draft={draft}
      onDraft={(next) => {
        const before = draftOf(project);
        setTyped(Object.fromEntries(Object.entries(next).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name as keyof typeof before]))));
      }}
      onSave={save}
      save="Save"
      dirty={Object.keys(changes).length > 0}
      judged={project.counts.judgments > 0}
      guidelinesExtra={project.guidelines_version > 1 && <EarlierGuidelines slug={slug} current={project.guidelines_version} />}
      guidelinesHint={`Markdown. This is version ${count(project.guidelines_version)}.`}
      consequences={consequences(draft, project, progress)}
      onReset={() => setTyped({})}
    />
  );
}
