/** The registry: every model that can answer, be trained, or is known by its answers. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { fieldErrors } from "../api/client";
import { createModel, modelsQuery } from "../api/queries";
import type { Model, NewModel } from "../api/types";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Field, Segments } from "../components/Field";
import { Page, TableFrame } from "../components/Page";
import { Empty, ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";

export function ModelsPage() {
  const models = useQuery(modelsQuery);
  const [adding, setAdding] = useState(false);
  const add = <Button look="primary" icon="plus" onClick={() => setAdding(true)}>Register a model</Button>;
  return (
    <Page title="Models" lead="Who answers the prompts. A checkpoint made here registers itself; annotators never see any of these names." actions={add}>
      <Loaded query={models}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="models" title="No model yet" action={add}>Register one from a Hub, a folder on the worker’s machine, or an OpenAI-style endpoint.</Empty>
          ) : (
            <TableFrame label="Models">
              <table className="table">
                <thead><tr><th>Name</th><th>Where</th></tr></thead>
                <tbody>
                  {items.map((model) => (
                    <tr key={model.id} id={model.id} className="target:bg-mark">
                      <td className="w-1/2">
                        <span className="font-medium [overflow-wrap:anywhere]">{model.name}</span>
                        <div className="text-sm text-faint">{KINDS[kindOf(model)] ?? kindOf(model)}, <Time at={model.created_at} /></div>
                      </td>
                      <td className="font-mono text-sm [overflow-wrap:anywhere]"><Where model={model} /></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </TableFrame>
          )
        }
      </Loaded>
      {adding && <Register onClose={() => setAdding(false)} />}
    </Page>
  );
}

const KINDS: Record<string, string> = { hub: "Hub", folder: "Folder", endpoint: "Endpoint", checkpoint: "Checkpoint", imported: "Imported answers" };

function part(model: Model, name: string): string | null {
  const value = model.source[name];
  return typeof value === "string" && value !== "" ? value : null;
}

function kindOf(model: Model): string {
  return model.checkpoint ? "checkpoint" : (part(model, "kind") ?? "unknown");
}

function Where({ model }: { model: Model }) {
  if (model.checkpoint) return <Link to="/checkpoints/$checkpoint" params={{ checkpoint: model.checkpoint }} className="link font-sans">its checkpoint</Link>;
  const revision = part(model, "revision");
  const key = part(model, "api_key_env");
  return (
    <>
      {part(model, "repo") ?? part(model, "path") ?? part(model, "url") ?? <span className="text-faint">–</span>}
      {revision && <span className="text-faint"> @ {revision}</span>}
      {part(model, "url") && part(model, "model") && <span className="text-faint"> · {part(model, "model")}</span>}
      {key && <span className="text-faint"> · key in ${key}</span>}
    </>
  );
}

type SourceKind = "hub" | "folder" | "endpoint";

function Register({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [kind, setKind] = useState<SourceKind>("hub");
  const action = useAction();
  const errors = fieldErrors(action.problem);
  const at = (name: string) => errors[name] ?? errors[`source.${name}`] ?? errors[`source.${kind}.${name}`] ?? null;

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const source: NewModel["source"] =
      kind === "hub"
        ? { kind, repo: text("repo"), revision: text("revision") || null }
        : kind === "folder"
          ? { kind, path: text("path") }
          : { kind, url: text("url"), model: text("model"), api_key_env: text("api_key_env") || null };
    const made = await action.run(async () => {
      await createModel({ name: text("name"), source });
      await client.invalidateQueries({ queryKey: modelsQuery.queryKey });
    });
    if (made) onClose();
  };

  return (
    <Dialog title="Register a model" onClose={onClose} footer={<><Button look="quiet" onClick={onClose}>Cancel</Button><Button type="submit" form="register-model" look="primary" busy={action.busy}>Register</Button></>}>
      <form id="register-model" onSubmit={(event) => void submit(event)} className="grid gap-4">
        <ErrorNote error={action.problem} />
        <Segments label="Where it comes from" value={kind} onChange={setKind} options={[{ value: "hub", label: "Hub" }, { value: "folder", label: "Folder" }, { value: "endpoint", label: "Endpoint" }]} />
        <Field label="Name here" hint="namespace/name. Shown to admins only." error={at("name")}>
          {(ids) => <input {...ids} name="name" className="field" required data-focus placeholder="acme/small-chat" pattern="[A-Za-z0-9][A-Za-z0-9._\-]*/[A-Za-z0-9][A-Za-z0-9._\-]*" title="namespace/name" />}
        </Field>
        {kind === "hub" && (
          <>
            <Field label="Repository" error={at("repo")}>{(ids) => <input {...ids} name="repo" className="field" required placeholder="HuggingFaceTB/SmolLM2-135M" />}</Field>
            <Field label="Revision" optional hint="A branch, tag or commit; a commit makes runs repeatable." error={at("revision")}>{(ids) => <input {...ids} name="revision" className="field" />}</Field>
          </>
        )}
        {kind === "folder" && <Field label="Folder" hint="On the machine of the workers: config.json, weights and tokenizer." error={at("path")}>{(ids) => <input {...ids} name="path" className="field font-mono text-sm" required placeholder="/models/small-chat" />}</Field>}
        {kind === "endpoint" && (
          <>
            <Field label="Address" hint="OpenAI style, up to /v1." error={at("url")}>{(ids) => <input {...ids} name="url" type="url" className="field" required placeholder="https://llm.example.org/v1" />}</Field>
            <Field label="Model at the endpoint" error={at("model")}>{(ids) => <input {...ids} name="model" className="field" required />}</Field>
            <Field label="Variable with the key" optional hint="The name of an environment variable of the worker. The key itself is never stored." error={at("api_key_env")}>{(ids) => <input {...ids} name="api_key_env" className="field font-mono text-sm" placeholder="VENDOR_API_KEY" pattern="([A-Z][A-Z0-9_]*_)?API_KEY|HF_TOKEN" title="A name that ends in API_KEY, or HF_TOKEN" />}</Field>
          </>
        )}
      </form>
    </Dialog>
  );
}
