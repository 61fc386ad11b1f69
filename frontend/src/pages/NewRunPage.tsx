/** Start a run: choose what kind, fill in its config (or change that of an earlier run), go. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { type FormEvent, useMemo, useRef, useState } from "react";
import { fieldErrors } from "../api/client";
import { checkpointsQuery, modelsQuery, projectQuery, rewardSetsQuery, runKindsQuery, runQuery, startRun } from "../api/queries";
import type { Run, RunKind } from "../api/types";
import { announce } from "../components/announcer";
import { Button } from "../components/Button";
import { Field } from "../components/Field";
import { LinkCard } from "../components/LinkCard";
import { Page } from "../components/Page";
import { check, type FieldSpec, fieldsOf, type JsonSchema, type Raw, serverErrors, startValues } from "../components/schema";
import { type Choice, SchemaForm } from "../components/SchemaForm";
import { ErrorNote, Loaded } from "../components/Status";
import { useAction } from "../components/useAction";
import { plural } from "../format";
import { Changes } from "../runs/Changes";
import { Estimate } from "../runs/Estimate";
import { changed, groupsOf, matters } from "../runs/form";

export function NewRunPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/new-run" });
  const { kind, from, model } = useSearch({ from: "/app/projects/$project/new-run" });
  const kinds = useQuery(runKindsQuery);
  const earlier = useQuery({ ...runQuery(from ?? ""), enabled: from !== undefined });
  const project = useQuery(projectQuery(slug));
  const chosen = kinds.data?.items.find((one) => one.kind === kind);
  return (
    <Page
      title={chosen ? `Start: ${chosen.title}` : "Start a run"}
      back={chosen ? <Link to="/projects/$project/new-run" params={{ project: slug }} className="link">All kinds of run</Link> : <Link to="/runs" className="link">Runs</Link>}
      lead={chosen ? chosen.description : project.data && `In the project “${project.data.name}”.`}
    >
      <Loaded query={kinds}>
        {({ items }) =>
          chosen && from !== undefined ? (
            <Loaded query={earlier}>{(run) => <ConfigForm key={run.id} slug={slug} kind={chosen} earlier={run} />}</Loaded>
          ) : chosen ? (
            <ConfigForm key={chosen.kind} slug={slug} kind={chosen} model={model} />
          ) : (
            <ol className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
              {items.map((one) => (
                <LinkCard key={one.kind} link={<Link to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: one.kind }}>{one.title}</Link>}>
                  <p className="mt-1 text-soft">{one.description}</p>
                  {one.needs.length > 0 && <p className="mt-2 text-sm text-faint">Needs: {one.needs.map((need) => (need === "checkpoint" ? "reward model" : need.replaceAll("_", " "))).join(", ")}</p>}
                </LinkCard>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Page>
  );
}

interface ConfigFormProps {
  slug: string;
  kind: RunKind;
  /** A run whose settings are to be taken over. */
  earlier?: Run;
  /** A model to begin with. */
  model?: string | undefined;
}

function ConfigForm({ slug, kind, earlier, model }: ConfigFormProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const fields = useMemo(() => fieldsOf(kind.schema as JsonSchema), [kind]);
  const [start] = useState<Record<string, Raw>>(() => startOf(fields, earlier, model));
  const [values, setValues] = useState(start);
  const [name, setName] = useState(earlier ? nextName(earlier.name) : "");
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [note, setNote] = useState<{ path: string; text: string } | null>(null);
  const [tried, setTried] = useState(false);
  const [refused, setRefused] = useState<Record<string, string>>({});
  const action = useAction();
  const form = useRef<HTMLFormElement>(null);

  const models = useQuery(modelsQuery).data?.items;
  const checkpoints = useQuery(checkpointsQuery).data?.items;
  const sets = useQuery(rewardSetsQuery(slug)).data?.items;
  const offers: Record<string, Choice[] | undefined> = {
    model: models?.filter((one) => one.source["kind"] !== "imported").map((one) => ({ value: one.name, label: one.name })),
    checkpoint: checkpoints?.filter((one) => one.kind === "reward_model").map((one) => ({ value: one.name, label: one.name })),
    reward_set: sets?.map((set) => ({ value: set.id, label: `${set.number}. ${set.name}, ${plural(set.judgments, "judgment")}` })),
  };

  const { config, errors } = check(fields, values);
  // A field complains once it was left or the whole was sent; what the server said goes when the field changes.
  const visible = { ...Object.fromEntries(Object.entries(errors).filter(([path]) => tried || touched.has(path))), ...refused };

  const layout = groupsOf(fields, kind.form);
  // A field that does not matter now is not shown, unless something is wrong with it.
  const shown = (field: FieldSpec) => matters(field.path, values, kind.form) || visible[field.path] !== undefined;
  const rest = layout.rest.map(({ title, fields: all }) => ({ title, fields: all.filter(shown) })).filter((group) => group.fields.length > 0);

  const change = (path: string, value: Raw) => {
    const next = changed(fields, values, path, value, kind.form);
    setValues(next.values);
    const moved = fields.filter((field) => next.moved.includes(field.path)).map((field) => `${field.label} ${String(next.values[field.path]).replaceAll("_", " ")}`);
    const text = `With it goes: ${moved.join(", ")}.`;
    setNote(moved.length > 0 ? { path, text } : null);
    if (moved.length > 0) announce(text);
    setTouched((all) => new Set(all).add(path));
    setRefused(({ [path]: _, ...others }) => others);
  };

  const focusFirstWrong = () => requestAnimationFrame(() => form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    const wrong = Object.keys(errors).length;
    if (wrong > 0) {
      action.forget();
      announce(`${plural(wrong, "field")} to correct.`);
      focusFirstWrong();
      return;
    }
    await action.run(async () => {
      try {
        const { id } = await startRun({ project: slug, kind: kind.kind, config, name: name.trim() || null });
        await client.invalidateQueries({ queryKey: ["runs"] });
        await navigate({ to: "/runs/$run", params: { run: id } });
      } catch (error) {
        const { known, other } = serverErrors(fieldErrors(error), fields);
        setRefused(known);
        focusFirstWrong();
        // What is told at its field needs no note above the form.
        if (other.length > 0 || Object.keys(known).length === 0) throw error;
      }
    });
  };

  return (
    <form ref={form} onSubmit={(event) => void submit(event)} noValidate className="grid max-w-4xl gap-5">
      <ErrorNote error={action.problem} />
      {earlier && <Changes earlier={earlier} fields={fields} before={check(fields, start).config} now={config} />}
      <div className="panel p-5">
        <Field label="Name of the run" optional hint="To find it again; empty: it is named after its kind." className="mb-5 max-w-md">
          {(ids) => <input {...ids} className="field" maxLength={120} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <SchemaForm first={layout.first.filter(shown)} rest={rest} values={values} onChange={change} errors={visible} offers={offers} note={note} />
      </div>
      <Estimate slug={slug} kind={kind.kind} config={Object.keys(errors).length === 0 ? config : null} />
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" look="primary" busy={action.busy}>Start the run</Button>
        {tried && Object.keys(errors).length > 0 && <span className="text-danger">{plural(Object.keys(errors).length, "field")} to correct</span>}
      </div>
    </form>
  );
}

/** Of a checkpoint that is made, each run needs a name of its own. */
function startOf(fields: readonly FieldSpec[], earlier: Run | undefined, model: string | undefined): Record<string, Raw> {
  if (earlier) return startValues(fields, { ...earlier.config, seed: earlier.seed, output_name: null });
  const [one, many] = ["model", "models"].map((path) => fields.some((field) => field.path === path));
  return startValues(fields, model === undefined ? {} : one ? { model } : many ? { models: [model] } : {});
}

/** “PPO” → “PPO 2” → “PPO 3”. */
function nextName(name: string): string {
  const [, stem = name, number] = /^(.*?)(?: (\d+))?$/u.exec(name) ?? [];
  return `${stem} ${Number(number ?? 1) + 1}`.slice(-120);
}
