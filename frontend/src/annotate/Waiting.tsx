/** What stands in place of a comparison: bones while one is fetched, why there is none, or what went wrong. */
import { useTranslation } from "react-i18next";
import type { Project, Stage } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Empty, ErrorNote } from "../components/Status";
import { count, percent } from "../format";

interface WaitingProps {
  status: "loading" | "ready" | "empty" | "failed";
  problem: Error | null;
  stage: Stage | null;
  onRetry: () => void;
  slug: string;
  project: Project | null;
  admin: boolean;
}

export function Waiting({ status, problem, stage, onRetry, slug, project, admin }: WaitingProps) {
  const { t } = useTranslation("annotate");
  if (status === "failed") {
    return (
      <div className="flex-1 p-6">
        <ErrorNote error={problem ?? t("waiting.failed")} retry={onRetry} className="mx-auto max-w-xl" />
      </div>
    );
  }
  if (status === "empty" && stage?.name === "failed") return <NotQualified stage={stage} onRetry={onRetry} />;
  if (status === "empty") {
    const bare = project !== null && project.counts.completions === 0;
    const state = project === null || project.state === "active" ? null : project.state;
    return (
      <div className="flex-1">
        <Empty
          icon="annotate"
          title={state ? t(`waiting.${state}`) : bare ? t("waiting.bare") : t("waiting.done")}
          action={
            <>
              {admin && bare && <ButtonLink to="/projects/$project" params={{ project: slug }} look="primary">{t("waiting.add")}</ButtonLink>}
              {!bare && <ButtonLink to="/projects/$project/mine" params={{ project: slug }}>{t("waiting.mine")}</ButtonLink>}
              <Button onClick={onRetry}>{t("waiting.again")}</Button>
            </>
          }
        >
          {state ? t("waiting.stopped") : bare ? t("waiting.bareText") : t("waiting.doneText")}
        </Empty>
      </div>
    );
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col" role="status" aria-label={t("waiting.loading")}>
      <div className="border-b border-line px-6 py-4"><div className="skeleton h-5 w-1/2" /></div>
      <div className="grid flex-1 gap-px bg-line md:grid-cols-2">
        {[0, 1].map((side) => (
          <div key={side} className={`bg-surface p-6 ${side === 1 ? "max-md:hidden" : ""}`}>
            <div className="skeleton mb-4 h-4 w-6" />
            {[92, 86, 95, 60, 0, 88, 73].map((width, row) => (
              <div key={row} className="skeleton mb-3 h-4" style={{ width: `${width}%` }} />
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

/** The qualification did not open the work. No blame, and what happens next. */
function NotQualified({ stage, onRetry }: { stage: Stage; onRetry: () => void }) {
  const { t } = useTranslation("annotate");
  return (
    <div className="flex-1">
      <Empty icon="people" title={t("notQualified.title")} action={<><ButtonLink to="/projects">{t("notQualified.others")}</ButtonLink><Button onClick={onRetry}>{t("waiting.again")}</Button></>}>
        <p>{t("notQualified.text")}</p>
        {stage.needed_share !== null && stage.of > 0 && <p className="mt-2">{t("notQualified.needed", { share: percent(stage.needed_share), done: count(stage.done), of: count(stage.of) })}</p>}
        <p className="mt-2">{t("notQualified.next")}</p>
      </Empty>
    </div>
  );
}
