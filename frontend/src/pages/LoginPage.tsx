/** Sign in with email and password. */
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "../api/client";
import { meQuery, signIn } from "../api/queries";
import { Button } from "../components/Button";
import { Entrance } from "../components/Entrance";
import { Field } from "../components/Field";
import { useTitle } from "../components/Page";
import { ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";

/** Only addresses of these pages: a link from elsewhere must not lead people away after they signed in. */
function inside(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.startsWith("/\\") ? next : "/";
}

export function LoginPage() {
  const { t } = useTranslation("entry");
  useTitle(t("signIn"));
  const { next } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const client = useQueryClient();
  const action = useAction();
  const password = useRef<HTMLInputElement>(null);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const signedIn = await action.run(async () => {
      const me = await signIn({ email: String(form.get("email")).trim(), password: String(form.get("password")) });
      client.clear();
      client.setQueryData(meQuery.queryKey, me);
      await navigate({ href: inside(next), replace: true });
    });
    if (!signedIn) password.current?.select();
  };
  const { problem } = action;

  return (
    <Entrance title="Podium" lead={t("slogan")}>
      <form onSubmit={(event) => void submit(event)} className="panel grid gap-4 p-5">
        <ErrorNote error={problem instanceof Problem && problem.status === 401 ? t("wrong") : problem} />
        <Field label={t("email")}>
          {(ids) => <input {...ids} name="email" type="email" autoComplete="username" required autoFocus className="field min-h-11" />}
        </Field>
        <Field label={t("password")}>
          {(ids) => <input {...ids} ref={password} name="password" type="password" autoComplete="current-password" required className="field min-h-11" />}
        </Field>
        <Button type="submit" look="primary" busy={action.busy} className="min-h-11">{t("signIn")}</Button>
      </form>
      <p className="mt-4 text-sm text-faint">{t("noAccount")}</p>
    </Entrance>
  );
}
