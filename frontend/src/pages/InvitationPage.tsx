/** Somebody was invited by a link: choose a password and begin. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "../api/client";
import { acceptInvitation, invitationQuery, meQuery } from "../api/queries";
import { Button, ButtonLink } from "../components/Button";
import { Entrance } from "../components/Entrance";
import { Field } from "../components/Field";
import { useTitle } from "../components/Page";
import { Bones, Empty, ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";
import { day } from "../format";

export function InvitationPage() {
  const { t } = useTranslation("entry");
  useTitle(t("invitation"));
  const { token } = useParams({ from: "/invitations/$token" });
  const invitation = useQuery(invitationQuery(token));
  const navigate = useNavigate();
  const client = useQueryClient();
  const action = useAction();

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    void action.run(async () => {
      const me = await acceptInvitation(token, {
        email: String(form.get("email")).trim(),
        name: String(form.get("name")).trim() || null,
        password: String(form.get("password")),
      });
      client.clear();
      client.setQueryData(meQuery.queryKey, me);
      await navigate({ to: "/", replace: true });
    });
  };
  const { problem } = action;
  const at = (field: string) => (problem instanceof Problem && problem.field === field ? problem.message : null);
  const elsewhere = problem !== null && !at("password") && !at("email") && !at("name");

  if (invitation.isError) {
    const gone = invitation.error instanceof Problem && !invitation.error.passing;
    return (
      <main>
        <Empty icon="people" level={1} title={gone ? t("unusable") : t("notLoaded")} action={<ButtonLink to="/login">{t("toSignIn")}</ButtonLink>}>
          <p>{invitation.error.message}</p>
          {gone && <p>{t("askAgain")}</p>}
        </Empty>
      </main>
    );
  }
  return (
    <Entrance title={t("welcome")} lead={invitation.data && t(`invitedAs.${invitation.data.role}`, { day: day(new Date(invitation.data.expires_at)) })}>
      {invitation.data ? (
        <form onSubmit={submit} className="panel grid gap-4 p-5">
          {elsewhere && <ErrorNote error={problem} />}
          <Field label={t("email")} error={at("email")}>
            {(ids) => <input {...ids} name="email" type="email" autoComplete="username" required defaultValue={invitation.data.email ?? ""} readOnly={invitation.data.email !== null} className="field min-h-11" />}
          </Field>
          <Field label={t("name")} optional hint={t("nameHint")} error={at("name")}>
            {(ids) => <input {...ids} name="name" autoComplete="name" className="field min-h-11" />}
          </Field>
          <Field label={t("password")} hint={t("passwordHint")} error={at("password")}>
            {(ids) => <input {...ids} name="password" type="password" autoComplete="new-password" required className="field min-h-11" />}
          </Field>
          <Button type="submit" look="primary" busy={action.busy} className="min-h-11">{t("create")}</Button>
        </form>
      ) : (
        <Bones />
      )}
    </Entrance>
  );
}
