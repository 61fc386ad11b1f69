/** What is mine: how the pages look, which keys judge, my tokens for programs, my password. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouteContext } from "@tanstack/react-router";
import { type FormEvent, type KeyboardEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { changeMe, createToken, deleteToken, meQuery, tokensQuery } from "../api/queries";
import { fieldErrors } from "../api/client";
import type { Scope } from "../api/types";
import { ACTIONS, type Action, DEFAULT_KEYS, keyLabel, keyName, whyNot } from "../annotate/keys";
import { announce } from "../components/announcer";
import { Button } from "../components/Button";
import { CopyText } from "../components/Copy";
import { Check, Field, Segments } from "../components/Field";
import { LanguageChoice } from "../components/LanguageChoice";
import { Page, Section, TableFrame } from "../components/Page";
import { ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";
import { keyMap, setPreferences, usePreferences } from "../preferences";

const THEMES = ["system", "light", "dark"] as const;
const SIZES = ["small", "medium", "large"] as const;

export function PreferencesPage() {
  const { t } = useTranslation("preferences");
  const { me } = useRouteContext({ from: "/app" });
  return (
    <Page translated title={t("title")} lead={t("lead", { who: me.user.email ?? me.user.name })}>
      <Looks />
      <Keys />
      <Account />
      <Tokens scopes={me.scopes} />
      <p className="mt-10 text-sm text-faint">{t("version", { version: me.version })}</p>
    </Page>
  );
}

function Looks() {
  const { t } = useTranslation("preferences");
  const preferences = usePreferences();
  return (
    <Section title={t("looks")} className="mt-0">
      <div className="panel grid gap-5 p-5 sm:grid-cols-2">
        <LanguageChoice browser />
        <div>
          <p className="mb-1 font-medium">{t("theme")}</p>
          <Segments label={t("theme")} value={preferences.theme} onChange={(theme) => setPreferences({ theme })} options={THEMES.map((value) => ({ value, label: t(`themes.${value}`) }))} />
        </div>
        <div>
          <p className="mb-1 font-medium">{t("reading")}</p>
          <Segments label={t("reading")} value={preferences.reading} onChange={(reading) => setPreferences({ reading })} options={SIZES.map((value) => ({ value, label: t(`sizes.${value}`) }))} />
        </div>
        <Check label={t("narrow")} hint={t("narrowHint")} checked={preferences.rail} onChange={(rail) => setPreferences({ rail })} />
      </div>
    </Section>
  );
}

function Keys() {
  const { t } = useTranslation(["preferences", "annotate"]);
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
    if (trouble) {
      setMessage(trouble === "fixed" ? t("fixed") : t("taken", { key: keyLabel(key), action: t(`annotate:action.${trouble}`) }));
      return; // Shown as an alert, which is read out.
    }
    setMessage(null);
    setPreferences({ keys: { ...preferences.keys, [action]: key } });
    setWaiting(null);
    announce(t("changed", { action: t(`annotate:action.${action}`), key: keyLabel(key) }));
  };
  return (
    <Section title={t("keys")} actions={<Button look="quiet" disabled={Object.keys(preferences.keys).length === 0} onClick={() => setPreferences({ keys: {} })}>{t("firstKeys")}</Button>}>
      <div className="panel p-5">
        <Check label={t("single")} hint={t("singleHint")} checked={preferences.singleKeys} onChange={(singleKeys) => setPreferences({ singleKeys })} />
        {message && <p role="alert" className="mt-3 text-danger">{message}</p>}
        <ul className="mt-4 grid gap-x-8 gap-y-1 sm:grid-cols-2">
          {ACTIONS.map((action) => (
            <li key={action} className="flex items-center justify-between gap-3 border-b border-line py-1">
              <span>{t(`annotate:action.${action}`)}</span>
              <button
                type="button"
                disabled={!preferences.singleKeys}
                aria-label={waiting === action ? t("waiting", { action: t(`annotate:action.${action}`) }) : t("change", { action: t(`annotate:action.${action}`), key: keyLabel(keys[action]) })}
                onClick={() => {
                  setMessage(null);
                  setWaiting(action);
                  announce(t("waiting", { action: t(`annotate:action.${action}`) }));
                }}
                onBlur={() => setWaiting((was) => (was === action ? null : was))}
                onKeyDown={waiting === action ? (event) => take(event, action) : undefined}
                className={`min-h-8 min-w-20 rounded-md border px-1.5 text-right disabled:opacity-50 ${waiting === action ? "border-accent bg-accent-wash text-accent" : "border-transparent hover:border-edge"}`}
              >
                {waiting === action ? t("press") : <span className={`kbd ${keys[action] === DEFAULT_KEYS[action] ? "" : "text-accent"}`}>{keyLabel(keys[action])}</span>}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </Section>
  );
}

function Account() {
  const { t } = useTranslation("preferences");
  const client = useQueryClient();
  const action = useAction();
  const [saved, setSaved] = useState(false);
  const errors = fieldErrors(action.problem);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const target = event.currentTarget;
    const form = new FormData(target);
    setSaved(false);
    const done = await action.run(async () => {
      await changeMe({ current_password: String(form.get("current")), password: String(form.get("new")) });
      await client.invalidateQueries({ queryKey: meQuery.queryKey });
      target.reset();
    }, t("passwordChanged"));
    setSaved(done);
  };
  return (
    <Section title={t("password")}>
      <form onSubmit={(event) => void submit(event)} className="panel grid max-w-xl gap-4 p-5">
        {action.problem !== null && Object.keys(errors).length === 0 && <ErrorNote error={action.problem} />}
        <Field label={t("passwordNow")} error={errors["current_password"]}>{(ids) => <input {...ids} name="current" type="password" required autoComplete="current-password" className="field" />}</Field>
        <Field label={t("newPassword")} error={errors["password"]}>{(ids) => <input {...ids} name="new" type="password" required autoComplete="new-password" className="field" />}</Field>
        <div className="flex items-center gap-3">
          <Button type="submit" busy={action.busy}>{t("changePassword")}</Button>
          {saved && <span className="text-sm text-accent">{t("passwordChanged")}</span>}
        </div>
      </form>
    </Section>
  );
}

function Tokens({ scopes }: { scopes: readonly Scope[] }) {
  const { t } = useTranslation("preferences");
  const client = useQueryClient();
  const tokens = useQuery(tokensQuery);
  const [made, setMade] = useState<string | null>(null);
  const making = useAction();
  const revoking = useAction();
  const problem = making.problem ?? revoking.problem;
  const again = () => client.invalidateQueries({ queryKey: tokensQuery.queryKey });
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const target = event.currentTarget;
    const form = new FormData(target);
    const days = Number(form.get("days"));
    revoking.forget();
    void making.run(async () => {
      const scope = form.get("scope") as Scope;
      const { token } = await createToken({ name: String(form.get("name")).trim(), scopes: [scope], expires_at: days > 0 ? new Date(Date.now() + days * 86_400_000).toISOString() : null });
      setMade(token);
      target.reset();
      await again();
    });
  };
  const remove = (id: string) => {
    making.forget();
    void revoking.run(async () => {
      await deleteToken(id);
      await again();
    });
  };
  return (
    <Section title={t("tokens")}>
      <ErrorNote error={problem} className="mb-3" />
      {made && (
        <div className="mb-3 rounded-lg bg-accent-wash p-4" role="status">
          <p className="mb-2 font-medium">{t("copyNow")}</p>
          <CopyText text={made} label={t("newToken")} />
        </div>
      )}
      <form onSubmit={(event) => void submit(event)} className="panel mb-3 flex flex-wrap items-end gap-3 p-4">
        <Field label={t("tokenName")} className="min-w-40 flex-1">{(ids) => <input {...ids} name="name" required maxLength={100} placeholder={t("tokenExample")} className="field" />}</Field>
        <Field label={t("may")} className="w-44">
          {(ids) => (
            <select {...ids} name="scope" className="field" defaultValue="read">
              {scopes.includes("read") && <option value="read">{t("scopes.read")}</option>}
              {scopes.includes("annotate") && <option value="annotate">{t("scopes.annotate")}</option>}
              {scopes.includes("admin") && <option value="admin">{t("scopes.admin")}</option>}
            </select>
          )}
        </Field>
        <Field label={t("worksFor")} className="w-36">
          {(ids) => (
            <select {...ids} name="days" className="field" defaultValue="90">
              <option value="7">{t("week")}</option>
              <option value="90">{t("quarter")}</option>
              <option value="365">{t("year")}</option>
              <option value="0">{t("forEver")}</option>
            </select>
          )}
        </Field>
        <Button type="submit" look="primary" busy={making.busy}>{t("makeToken")}</Button>
      </form>
      <Loaded query={tokens}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-soft">{t("noTokens")}</p>
          ) : (
            <TableFrame label={t("tokens")}>
              <table className="table">
                <thead><tr><th>{t("tokenName")}</th><th>{t("begins")}</th><th>{t("may")}</th><th>{t("lastUsed")}</th><th>{t("ends")}</th><th><span className="sr-only">{t("remove")}</span></th></tr></thead>
                <tbody>
                  {items.map((token) => (
                    <tr key={token.id}>
                      <td className="font-medium">{token.name}</td>
                      <td className="font-mono text-sm">{token.prefix}…</td>
                      <td>{token.scopes.map((scope) => t(`scopes.${scope}`)).join(", ")}</td>
                      <td><Time at={token.last_used_at} /></td>
                      <td><Time at={token.expires_at} /></td>
                      <td className="text-right"><Button look="quiet" aria-label={t("revokeOne", { name: token.name })} onClick={() => remove(token.id)}>{t("revoke")}</Button></td>
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
