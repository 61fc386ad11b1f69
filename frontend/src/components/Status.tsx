/** What stands where content is not: not yet (bones), none (what to do next), or not at all (what is wrong, try again). */
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./Button";
import { Icon, type IconName } from "./Icon";

export function Bones({ rows = 4, height = "1.4rem" }: { rows?: number; height?: string }) {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t("loading")} className="grid gap-2.5 p-4">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="skeleton" style={{ height, width: `${100 - ((row * 29) % 45)}%` }} />
      ))}
    </div>
  );
}

/** What went wrong, in words; nothing while `error` is null. */
export function ErrorNote({ error, retry, className }: { error: unknown; retry?: () => void; className?: string }) {
  const { t } = useTranslation();
  if (error === null) return null;
  const text = error instanceof Error ? error.message : String(error);
  return (
    <div role="alert" className={`flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md border border-danger/40 bg-danger-wash px-3.5 py-2.5 text-danger ${className ?? ""}`}>
      <Icon name="alert" />
      <p className="min-w-0 flex-1 basis-60">{text}</p>
      {retry && <Button look="danger" className="min-h-8" onClick={retry}>{t("tryAgain")}</Button>}
    </div>
  );
}

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  /** 1 where this is the whole page. */
  level?: 1 | 2;
}

export function Empty({ icon, title, children, action, level = 2 }: EmptyProps) {
  const Title = `h${level}` as const;
  return (
    <div className="mx-auto grid max-w-lg justify-items-center gap-2 px-6 py-14 text-center">
      <span className="mb-1 grid size-11 place-items-center rounded-full bg-accent-wash text-accent">
        <Icon name={icon} size={20} />
      </span>
      <Title className="title text-lg">{title}</Title>
      {children && <div className="text-pretty text-soft">{children}</div>}
      {action && <div className="mt-3 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/** Bones, the error, or the content: the three faces of everything that is asked from the server. */
export function Loaded<T>({ query, bones, children }: { query: UseQueryResult<T>; bones?: ReactNode; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && <ErrorNote error={query.error} retry={() => void query.refetch()} className="m-3" />}
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <ErrorNote error={query.error} retry={() => void query.refetch()} className="m-3" />;
  return bones ?? <Bones />;
}
