/** A project's guidelines, what it asks, how comparisons are handed out, and whether it is open. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { fieldErrors } from "../api/client";
import { changeProject, projectChanged, projectQuery } from "../api/queries";
import type { Project, ProjectChange } from "../api/types";
import { announce } from "../components/announcer";
import { Button } from "../components/Button";
import { Field, Segments } from "../components/Field";
import { Markdown } from "../components/Markdown";
import { Page } from "../components/Page";
import { ProtocolForm } from "../components/ProtocolForm";
import { ErrorNote, Loaded } from "../components/Status";
import { count } from "../format";

export function ProjectSettingsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/settings" });
  const project = useQuery(projectQuery(slug));
  return (
    <Page title="Settings" back={<Link to="/projects/$project" params={{ project: slug }} className="link">{project.data?.name ?? "Project"}</Link>}>
      <Loaded query={project}>
        {(data) => (
          <div className="grid max-w-3xl gap-6">
            <General slug={slug} project={data} />
            <Guidelines slug={slug} project={data} />
            <Asked slug={slug} project={data} />
            <Handing slug={slug} project={data} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

interface PartProps {
  slug: string;
  project: Project;
}

/** One part of the settings: saved on its own, so that a mistake in one does not hold up another. */
function Part({ title, slug, change, dirty, children }: { title: string; slug: string; change: () => ProjectChange; dirty: boolean; children: (errors: Record<string, string>) => ReactNode }) {
  const client = useQueryClient();
  const [problem, setProblem] = useState<unknown>(null);
  const [state, setState] = useState<"idle" | "busy" | "saved">("idle");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setState("busy");
    setProblem(null);
    try {
      const changed = await changeProject(slug, change());
      client.setQueryData(projectQuery(slug).queryKey, changed);
      await projectChanged(client, slug);
      setState("saved");
      announce(`${title} saved.`);
    } catch (error) {
      setProblem(error);
      setState("idle");
    }
  };
  return (
    <form onSubmit={(event) => void submit(event)} className="panel p-5" aria-label={title}>
      <h2 className="title mb-4 text-lg">{title}</h2>
      {problem !== null && <ErrorNote error={problem} className="mb-4" />}
      {children(fieldErrors(problem))}
      <div className="mt-5 flex items-center gap-3">
        <Button type="submit" look="primary" busy={state === "busy"} disabled={!dirty}>Save</Button>
        {state === "saved" && !dirty && <span className="text-sm text-accent">Saved</span>}
      </div>
    </form>
  );
}

function General({ slug, project }: PartProps) {
  const [name, setName] = useState(project.name);
  const [state, setState] = useState(project.state);
  return (
    <Part title="General" slug={slug} change={() => ({ name, state })} dirty={name !== project.name || state !== project.state}>
      {(errors) => (
        <div className="grid gap-5">
          <Field label="Name" error={errors["name"]}>{(ids) => <input {...ids} className="field" required value={name} onChange={(event) => setName(event.target.value)} />}</Field>
          <div>
            <p className="mb-1 font-medium">State</p>
            <Segments label="State" value={state} onChange={setState} options={[{ value: "active", label: "Active" }, { value: "paused", label: "Paused" }, { value: "closed", label: "Closed" }, { value: "archived", label: "Archived" }]} />
            <p className="mt-1 text-sm text-faint">{{ active: "Comparisons are handed out.", paused: "Nothing is handed out for now; what is judged stays.", closed: "The study is over; everything stays readable.", archived: "As closed, and left out of the list of projects." }[state]}</p>
          </div>
        </div>
      )}
    </Part>
  );
}

function Guidelines({ slug, project }: PartProps) {
  const [text, setText] = useState(project.guidelines);
  const [view, setView] = useState<"write" | "read">("write");
  return (
    <Part title="Guidelines" slug={slug} change={() => ({ guidelines: text })} dirty={text !== project.guidelines}>
      {(errors) => (
        <>
          <Segments label="View" value={view} onChange={setView} options={[{ value: "write", label: "Write" }, { value: "read", label: "Preview" }]} className="mb-3" />
          {view === "write" ? (
            <Field label="Text" hint={`Markdown. This is version ${count(project.guidelines_version)}; saving a change makes the next one, and every annotator is shown it.`} error={errors["guidelines"]}>
              {(ids) => <textarea {...ids} className="field min-h-64 font-mono text-sm" value={text} onChange={(event) => setText(event.target.value)} />}
            </Field>
          ) : (
            <div className="rounded-md border border-line p-4"><Markdown text={text} /></div>
          )}
        </>
      )}
    </Part>
  );
}

function Asked({ slug, project }: PartProps) {
  const [protocol, setProtocol] = useState(project.protocol);
  return (
    <Part title="What is asked" slug={slug} change={() => ({ protocol })} dirty={JSON.stringify(protocol) !== JSON.stringify(project.protocol)}>
      {(errors) => <ProtocolForm value={protocol} onChange={setProtocol} errors={errors} />}
    </Part>
  );
}

const SHARES = [
  ["gold_share", "Known answers", "Share of comparisons whose answer is known, to see who reads with care."],
  ["repeat_share", "Repeats", "Share shown to the same person again with the sides swapped, to measure self-consistency."],
  ["random_share", "Drawn at random", "Share picked by chance alone, whatever would teach most: keeps the estimates honest."],
] as const;

function Handing({ slug, project }: PartProps) {
  const before = {
    overlap: String(project.overlap),
    lease_minutes: String(project.lease_minutes),
    gold_share: String(Math.round(project.gold_share * 1000) / 10),
    repeat_share: String(Math.round(project.repeat_share * 1000) / 10),
    random_share: String(Math.round(project.random_share * 1000) / 10),
  };
  const [values, setValues] = useState(before);
  const set = (name: keyof typeof before, value: string) => setValues({ ...values, [name]: value });
  const change = (): ProjectChange => ({
    overlap: Number(values.overlap),
    lease_minutes: Number(values.lease_minutes),
    gold_share: Number(values.gold_share) / 100,
    repeat_share: Number(values.repeat_share) / 100,
    random_share: Number(values.random_share) / 100,
  });
  return (
    <Part title="How comparisons are handed out" slug={slug} change={change} dirty={JSON.stringify(values) !== JSON.stringify(before)}>
      {(errors) => (
        <div className="grid gap-5 sm:grid-cols-2">
          <Field label="Judgments wanted of each comparison" hint="By different people." error={errors["overlap"]}>
            {(ids) => <input {...ids} className="field" type="number" min={1} max={1000} required value={values.overlap} onChange={(event) => set("overlap", event.target.value)} />}
          </Field>
          <Field label="Lease (minutes)" hint="How long a comparison is kept for one person. Open pages renew it." error={errors["lease_minutes"]}>
            {(ids) => <input {...ids} className="field" type="number" min={0.1} step="any" required value={values.lease_minutes} onChange={(event) => set("lease_minutes", event.target.value)} />}
          </Field>
          {SHARES.map(([name, label, hint]) => (
            <Field key={name} label={`${label} (%)`} hint={hint} error={errors[name]}>
              {(ids) => <input {...ids} className="field" type="number" min={0} max={100} step={0.1} required value={values[name]} onChange={(event) => set(name, event.target.value)} />}
            </Field>
          ))}
        </div>
      )}
    </Part>
  );
}
