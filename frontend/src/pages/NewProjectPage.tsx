/** Make a project: its name, what a good answer is, what is asked. */
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { fieldErrors } from "../api/client";
import { createProject, projectsQuery } from "../api/queries";
import type { Protocol } from "../api/types";
import { Button } from "../components/Button";
import { Field } from "../components/Field";
import { Page } from "../components/Page";
import { ProtocolForm } from "../components/ProtocolForm";
import { ErrorNote } from "../components/Status";

const PAIRS: Protocol = { size: 2, allow_tie: true, allow_none_acceptable: true, strength_levels: 0, aspects: [], comment: "off", ideal_answer: "off", spans: false };

/** How comparisons are handed out at first; the settings change it. */
const HANDING_OUT = { gold_share: 0, repeat_share: 0.05, random_share: 0.1, lease_minutes: 15, qualification_share: 0.8, people_ranking: false };

export function NewProjectPage() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [guidelines, setGuidelines] = useState("");
  const [protocol, setProtocol] = useState(PAIRS);
  const [overlap, setOverlap] = useState("1");
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const errors = fieldErrors(problem);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const made = await createProject({ name: name.trim(), guidelines, protocol, overlap: Number(overlap), ...HANDING_OUT });
      await client.invalidateQueries({ queryKey: projectsQuery.queryKey });
      await navigate({ to: "/projects/$project", params: { project: made.slug } });
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };

  return (
    <Page title="New project" back={<Link to="/projects" className="link">Projects</Link>}>
      <form onSubmit={(event) => void submit(event)} className="grid max-w-3xl gap-6">
        {problem !== null && <ErrorNote error={problem} />}
        <div className="panel grid gap-5 p-5">
          <Field label="Name" error={errors["name"]}>
            {(ids) => <input {...ids} className="field" required autoFocus maxLength={200} value={name} onChange={(event) => setName(event.target.value)} placeholder="Helpful answers, round 1" />}
          </Field>
          <Field label="Guidelines" hint="Markdown. Every annotator reads them before the first judgment, and again when they change." error={errors["guidelines"]}>
            {(ids) => <textarea {...ids} className="field min-h-40 font-mono text-sm" value={guidelines} onChange={(event) => setGuidelines(event.target.value)} placeholder={"Choose the answer you would rather receive.\n\n1. Is it true?\n2. Does it answer the question?\n3. Is it clear?"} />}
          </Field>
          <Field label="Judgments wanted of each comparison" hint="By different people. One covers most ground; three show how far people agree." error={errors["overlap"]} className="max-w-sm">
            {(ids) => <input {...ids} className="field" type="number" min={1} max={1000} required value={overlap} onChange={(event) => setOverlap(event.target.value)} />}
          </Field>
        </div>
        <fieldset className="panel p-5">
          <legend className="sr-only">What is asked</legend>
          <h2 className="title mb-4 text-lg">What is asked</h2>
          <ProtocolForm value={protocol} onChange={setProtocol} errors={errors} />
        </fieldset>
        <div className="flex gap-2">
          <Button type="submit" look="primary" busy={busy}>Make the project</Button>
        </div>
      </form>
    </Page>
  );
}
