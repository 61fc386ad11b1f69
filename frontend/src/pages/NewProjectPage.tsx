/** Make a project: from a template, everything on one page, the annotator's screen beside it. */
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { createProject, projectsQuery } from "../api/queries";
import { Page } from "../components/Page";
import { bodyOf, type Draft } from "../setup/draft";
import { ProjectForm } from "../setup/ProjectForm";
import { begin, TEMPLATES } from "../setup/templates";
import { Templates } from "../setup/Templates";

const FIRST = TEMPLATES[0]!;

export function NewProjectPage() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [draft, setDraft] = useState<Draft>({ ...FIRST.draft, name: "" });
  const [template, setTemplate] = useState<string>(FIRST.key);

  const make = async () => {
    const made = await createProject(bodyOf(draft));
    await client.invalidateQueries({ queryKey: projectsQuery.queryKey });
    await navigate({ to: "/projects/$project", params: { project: made.slug } });
  };

  return (
    <Page wide title="New project" back={<Link to="/projects" className="link">Projects</Link>}>
      <ProjectForm
        label="New project"
        draft={draft}
        onDraft={setDraft}
        onSave={make}
        save="Make the project"
        dirty
        judged={false}
        autoFocus
        guidelinesHint="Markdown. Every annotator reads them before the first judgment, and again when they change."
        before={
          <Templates
            chosen={template}
            onChoose={(one) => {
              setTemplate(one.key);
              setDraft(begin(draft, one));
            }}
          />
        }
      />
    </Page>
  );
}
