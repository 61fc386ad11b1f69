/** Start a run: choose what kind, fill in its config, go. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { type FormEvent, useMemo, useRef, useState } from "react";
import { fieldErrors } from "../api/client";
import { checkpointsQuery, modelsQuery, projectQuery, rewardSetsQuery, runKindsQuery, startRun } from "../api/queries";
import type { RunKind } from "../api/types";
import { announce } from "../components/announcer";
import { Button } from "../components/Button";
import { Field } from "../components/Field";
import { LinkCard } from "../components/LinkCard";
import { Page } from "../components/Page";
import { check, fieldsOf, type JsonSchema, type Raw, serverErrors, startValues } from "../components/schema";
import { type Choice, SchemaForm } from "../components/SchemaForm";
import { ErrorNote, Loaded } from "../components/Status";
import { useAction } from "../components/useAction";
import { plural } from "../format";
import { Estimate } from "../runs/Estimate";

export function NewRunPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/new-run" });
  const { kind } = useSearch({ from: "/app/projects/$project/new-run" });
  const kinds = useQuery(runKindsQuery);
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
          chosen ? (
            <ConfigForm key={chosen.kind} slug={slug} kind={chosen} />
          ) : (
            <ol className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
              {items.map((one) => (
                <LinkCard key={one.kind} link={<Link to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: one.kind }}>{one.title}</Link>}>
                  <p className="mt-1 text-soft">{one.description}</p>
                  {one.needs.length > 0 && <p className="mt-2 text-sm text-faint">Needs: {one.needs.map((need) => need.replaceAll("_", " ")).join(", ")}</p>}
                </LinkCard>
              ))}
            </ol>
          )
        }
      </Loaded>
    </Page>
  );
}

function ConfigForm({ slug, kind }: { slug: string; kind: RunKind }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const fields = useMemo(() => fieldsOf(kind.schema as JsonSchema), [kind]);
  const [values, setValues] = useState<Record<string, Raw>>(() => startValues(fields));
  const [name, setName] = useState("");
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [tried, setTried] = useState(false);
  const [refused, setRefused] = useState<Record<string, string>>({});
  const action = useAction();
  const form = useRef<HTMLFormElement>(null);

  const models = useQuery(modelsQuery).data?.items;
  const checkpoints = useQuery(checkpointsQuery).data?.items;
  const sets = useQuery(rewardSetsQuery(slug)).data?.items;
  const offers: Record<string, Choice[] | undefined> = {
    model: models?.filter((model) => model.source["kind"] !== "imported").map((model) => ({ value: model.name, label: model.name })),
    checkpoint: checkpoints?.filter((one) => one.kind === "reward_model").map((one) => ({ value: one.name, label: one.name })),
    reward_set: sets?.map((set) => ({ value: set.id, label: `${set.number}. ${set.name}, ${plural(set.judgments, "judgment")}` })),
  };

  const { config, errors } = check(fields, values);
  // A field complains once it was left or the whole was sent; what the server said goes when the field changes.
  const visible = { ...Object.fromEntries(Object.entries(errors).filter(([path]) => tried || touched.has(path))), ...refused };

  const change = (path: string, value: Raw) => {
    setValues((all) => ({ ...all, [path]: value }));
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
      <div className="panel p-5">
        <Field label="Name of the run" optional hint="To find it again; empty: it is named after its kind." className="mb-5 max-w-md">
          {(ids) => <input {...ids} className="field" maxLength={120} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <SchemaForm fields={fields} values={values} onChange={change} errors={visible} offers={offers} />
      </div>
      <Estimate slug={slug} kind={kind.kind} config={Object.keys(errors).length === 0 ? config : null} />
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" look="primary" busy={action.busy}>Start the run</Button>
        {tried && Object.keys(errors).length > 0 && <span className="text-danger">{plural(Object.keys(errors).length, "field")} to correct</span>}
      </div>
    </form>
  );
}
