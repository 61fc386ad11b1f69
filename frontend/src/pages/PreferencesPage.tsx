/** What is mine: how the pages look, which keys judge, my tokens for programs, my password. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouteContext } from "@tanstack/react-router";
import { type FormEvent, type KeyboardEvent, useState } from "react";
import { changeMe, createToken, deleteToken, meQuery, tokensQuery } from "../api/queries";
import { fieldErrors } from "../api/client";
import type { Scope } from "../api/types";
import { ACTIONS, type Action, DEFAULT_KEYS, keyLabel, keyName, whyNot } from "../annotate/keys";
import { announce } from "../components/announcer";
import { Button } from "../components/Button";
import { CopyText } from "../components/Copy";
import { Field, Segments } from "../components/Field";
import { Page, Section, TableFrame } from "../components/Page";
import { Check } from "../components/ProtocolForm";
import { ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { keyMap, setPreferences, usePreferences } from "../preferences";

export function PreferencesPage() {
  const { me } = useRouteContext({ from: "/app" });
  return (
    <Page title="Preferences" lead={<>Signed in as {me.user.email ?? me.user.name}. Looks and keys are kept in this browser.</>}>
      <Looks />
      <Keys />
      <Account />
      <Tokens scopes={me.scopes} />
      <p className="mt-10 text-sm text-faint">Podium {me.version}</p>
    </Page>
  );
}

function Looks() {
  const preferences = usePreferences();
  return (
    <Section title="Looks" className="mt-0">
      <div className="panel grid gap-5 p-5 sm:grid-cols-2">
        <div>
          <p className="mb-1 font-medium">Theme</p>
          <Segments label="Theme" value={preferences.theme} onChange={(theme) => setPreferences({ theme })} options={[{ value: "system", label: "As the system" }, { value: "light", label: "Light" }, { value: "dark", label: "Dark" }]} />
        </div>
        <div>
          <p className="mb-1 font-medium">Size of the answers’ text</p>
          <Segments label="Size of the answers’ text" value={preferences.reading} onChange={(reading) => setPreferences({ reading })} options={[{ value: "small", label: "Small" }, { value: "medium", label: "Medium" }, { value: "large", label: "Large" }]} />
        </div>
        <Check label="Narrow side bar" hint="Pictures only. The annotate page always has it narrow." checked={preferences.rail} onChange={(rail) => setPreferences({ rail })} />
      </div>
    </Section>
  );
}

function Keys() {
  const preferences = usePreferences();
  const keys = keyMap(preferences);
  const [waiting, setWaiting] = useState<Action | null>(null);
  const [message, setMessage] = useState<string | null>(null);
  const take = (event: KeyboardEvent, action: Action) => {
    if (event.key === "Tab") return;
    event.preventDefault();
    if (event.key === "Escape") {
      setWaiting(null);
      return;
    }
    if (["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    const key = keyName(event.key);
    const trouble = whyNot(key, action, keys);
    setMessage(trouble);
    if (trouble) {
      announce(trouble);
      return;
    }
    setPreferences({ keys: { ...preferences.keys, [action]: key } });
    setWaiting(null);
    announce(`${ACTIONS[action]}: ${keyLabel(key)}.`);
  };
  return (
    <Section title="Keys" actions={<Button look="quiet" disabled={Object.keys(preferences.keys).length === 0} onClick={() => setPreferences({ keys: {} })}>Back to the first ones</Button>}>
      <div className="panel p-5">
        <Check label="Single keys judge" hint="Off: only the buttons do. They never fire while you type in a field." checked={preferences.singleKeys} onChange={(singleKeys) => setPreferences({ singleKeys })} />
        {message && <p role="alert" className="mt-3 text-danger">{message}</p>}
        <ul className="mt-4 grid gap-x-8 gap-y-1 sm:grid-cols-2">
          {(Object.keys(ACTIONS) as Action[]).map((action) => (
            <li key={action} className="flex items-center justify-between gap-3 border-b border-line py-1">
              <span>{ACTIONS[action]}</span>
              <button
                type="button"
                disabled={!preferences.singleKeys}
                aria-label={`Key for “${ACTIONS[action]}”: ${keyLabel(keys[action])}. Change`}
                onClick={() => {
                  setMessage(null);
                  setWaiting(action);
                }}
                onBlur={() => setWaiting((was) => (was === action ? null : was))}
                onKeyDown={waiting === action ? (event) => take(event, action) : undefined}
                className={`min-h-8 min-w-20 rounded-md border px-1.5 text-right disabled:opacity-50 ${waiting === action ? "border-accent bg-accent-wash text-accent" : "border-transparent hover:border-edge"}`}
              >
                {waiting === action ? "Press a key" : <span className={`kbd ${keys[action] === DEFAULT_KEYS[action] ? "" : "text-accent"}`}>{keyLabel(keys[action])}</span>}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </Section>
  );
}

function Account() {
  const client = useQueryClient();
  const [problem, setProblem] = useState<unknown>(null);
  const [state, setState] = useState<"idle" | "busy" | "saved">("idle");
  const errors = fieldErrors(problem);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const target = event.currentTarget;
    const form = new FormData(target);
    setState("busy");
    setProblem(null);
    try {
      await changeMe({ current_password: String(form.get("current")), password: String(form.get("new")) });
      await client.invalidateQueries({ queryKey: meQuery.queryKey });
      target.reset();
      setState("saved");
      announce("The password is changed.");
    } catch (error) {
      setProblem(error);
      setState("idle");
    }
  };
  return (
    <Section title="Password">
      <form onSubmit={(event) => void submit(event)} className="panel grid max-w-xl gap-4 p-5">
        {problem !== null && Object.keys(errors).length === 0 && <ErrorNote error={problem} />}
        <Field label="Password now" error={errors["current_password"]}>{(ids) => <input {...ids} name="current" type="password" required autoComplete="current-password" className="field" />}</Field>
        <Field label="New password" error={errors["password"]}>{(ids) => <input {...ids} name="new" type="password" required autoComplete="new-password" className="field" />}</Field>
        <div className="flex items-center gap-3">
          <Button type="submit" busy={state === "busy"}>Change it</Button>
          {state === "saved" && <span className="text-sm text-accent">Changed</span>}
        </div>
      </form>
    </Section>
  );
}

function Tokens({ scopes }: { scopes: readonly Scope[] }) {
  const client = useQueryClient();
  const tokens = useQuery(tokensQuery);
  const [made, setMade] = useState<string | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const again = () => client.invalidateQueries({ queryKey: tokensQuery.queryKey });
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const target = event.currentTarget;
    const form = new FormData(target);
    const days = Number(form.get("days"));
    setBusy(true);
    setProblem(null);
    try {
      const scope = form.get("scope") as Scope;
      const { token } = await createToken({ name: String(form.get("name")).trim(), scopes: [scope], expires_at: days > 0 ? new Date(Date.now() + days * 86_400_000).toISOString() : null });
      setMade(token);
      target.reset();
      await again();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  const remove = async (id: string) => {
    setProblem(null);
    try {
      await deleteToken(id);
      await again();
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <Section title="Tokens for programs">
      {problem !== null && <ErrorNote error={problem} className="mb-3" />}
      {made && (
        <div className="mb-3 rounded-lg bg-accent-wash p-4" role="status">
          <p className="mb-2 font-medium">Copy the token now, it is not shown again.</p>
          <CopyText text={made} label="New token" />
        </div>
      )}
      <form onSubmit={(event) => void submit(event)} className="panel mb-3 flex flex-wrap items-end gap-3 p-4">
        <Field label="Name" className="min-w-40 flex-1">{(ids) => <input {...ids} name="name" required maxLength={100} placeholder="evaluation script" className="field" />}</Field>
        <Field label="May" className="w-44">
          {(ids) => (
            <select {...ids} name="scope" className="field" defaultValue="read">
              {scopes.includes("read") && <option value="read">read</option>}
              {scopes.includes("annotate") && <option value="annotate">annotate</option>}
              {scopes.includes("admin") && <option value="admin">everything (admin)</option>}
            </select>
          )}
        </Field>
        <Field label="Works for" className="w-36">
          {(ids) => (
            <select {...ids} name="days" className="field" defaultValue="90">
              <option value="7">7 days</option>
              <option value="90">90 days</option>
              <option value="365">a year</option>
              <option value="0">for ever</option>
            </select>
          )}
        </Field>
        <Button type="submit" look="primary" busy={busy}>Make a token</Button>
      </form>
      <Loaded query={tokens}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-soft">You have no tokens. Programs use one to read, annotate or pull checkpoints in your name.</p>
          ) : (
            <TableFrame label="Tokens">
              <table className="table">
                <thead><tr><th>Name</th><th>Begins with</th><th>May</th><th>Last used</th><th>Ends</th><th><span className="sr-only">Remove</span></th></tr></thead>
                <tbody>
                  {items.map((token) => (
                    <tr key={token.id}>
                      <td className="font-medium">{token.name}</td>
                      <td className="font-mono text-sm">{token.prefix}…</td>
                      <td>{token.scopes.join(", ")}</td>
                      <td><Time at={token.last_used_at} /></td>
                      <td><Time at={token.expires_at} /></td>
                      <td className="text-right"><Button look="quiet" aria-label={`Revoke ${token.name}`} onClick={() => void remove(token.id)}>Revoke</Button></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </TableFrame>
          )
        }
      </Loaded>
    </Section>
  );
}
