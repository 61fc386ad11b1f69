/** My own numbers in this project, what they mean, and what I judged last. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { myJudgmentsQuery, myWorkQuery, peopleRankingQuery, projectQuery } from "../api/queries";
import type { MyJudgment, MyWork } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Page, Section, TableFrame } from "../components/Page";
import { type Share, ShareLine } from "../components/ShareLine";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, duration, percent, verdict } from "../format";

const MOST = 200;

export function MyWorkPage() {
  const { t } = useTranslation("work");
  const { project: slug } = useParams({ from: "/app/projects/$project/mine" });
  const project = useQuery(projectQuery(slug)).data;
  const work = useQuery(myWorkQuery(slug));
  return (
    <Page translated title={t("title")} lead={project?.name} actions={<ButtonLink to="/projects/$project/annotate" params={{ project: slug }} look="primary" icon="annotate">{t("goOn")}</ButtonLink>}>
      <Loaded query={work} bones={<div className="skeleton h-24" />}>
        {(data) => (
          <>
            <StageNote stage={data.stage} />
            <Numbers work={data} />
            {data.judgments > 0 && <Shares work={data} />}
          </>
        )}
      </Loaded>
      <Latest slug={slug} />
      {project?.people_ranking && <Ranking slug={slug} />}
    </Page>
  );
}

/** Practice and qualification come before the real work. */
function StageNote({ stage }: { stage: MyWork["stage"] }) {
  const { t } = useTranslation("work");
  if (stage.name === "work") return null;
  const numbers = { done: count(stage.done), of: count(stage.of), needed: percent(stage.needed_share ?? 0) };
  return (
    <div className={`mb-4 rounded-lg px-5 py-3.5 ${stage.name === "failed" ? "bg-warn-wash text-warn" : "bg-accent-wash"}`}>
      <p>{t(`stage.${stage.name}`, numbers)}</p>
      {stage.name !== "failed" && stage.of > 0 && (
        <div className="mt-2 h-1.5 max-w-md overflow-hidden rounded-full bg-surface" role="progressbar" aria-label={t(`stage.${stage.name}Name`)} aria-valuemin={0} aria-valuemax={stage.of} aria-valuenow={stage.done}>
          <div className="h-full bg-accent" style={{ width: `${(100 * stage.done) / stage.of}%` }} />
        </div>
      )}
    </div>
  );
}

function Numbers({ work }: { work: MyWork }) {
  const { t } = useTranslation("work");
  const numbers = {
    today: count(work.today),
    all: count(work.judgments),
    timeToday: duration(work.active_ms_today / 1000),
    timeAll: duration(work.active_ms / 1000),
    median: work.median_active_ms === null ? "–" : duration(work.median_active_ms / 1000),
    skipped: count(work.skipped),
  };
  return (
    <>
      <dl className="panel grid grid-cols-2 gap-px overflow-hidden bg-line sm:grid-cols-3 xl:grid-cols-6">
        {(Object.keys(numbers) as (keyof typeof numbers)[]).map((name) => (
          <div key={name} className="flex flex-col-reverse justify-end bg-surface px-4 py-3">
            <dt className="text-sm text-faint">{t(`numbers.${name}`)}</dt>
            <dd className="title text-xl">{numbers[name]}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-2 text-sm text-faint">{t("timeHint")}</p>
    </>
  );
}

/** Which way a lean goes, where the error bar leaves no doubt of it. */
function lean<Low, High>(share: Share, low: Low, high: High): Low | High | "even" {
  return share.low > 0.5 ? high : share.high < 0.5 ? low : "even";
}

function Shares({ work }: { work: MyWork }) {
  const { t } = useTranslation("work");
  const { agreement, self_consistency: self, gold, left_lean: side, length_lean: length } = work;
  return (
    <Section title={t("how")}>
      <p className="-mt-1 mb-3 max-w-[65ch] text-soft">{t("howLead")}</p>
      <ul className="panel divide-y divide-line">
        <ShareLine name={t("agreement.name")} share={agreement}>{t(agreement ? "agreement.text" : "agreement.none")}</ShareLine>
        <ShareLine name={t("consistency.name")} share={self}>{t(self ? "consistency.text" : "consistency.none")}</ShareLine>
        <ShareLine name={t("gold.name")} share={gold}>{t(gold ? "gold.text" : "gold.none")}</ShareLine>
        <ShareLine name={t("side.name")} share={side} ends={[t("side.first"), t("side.last")]} mirrored>
          {t(side ? `side.${lean(side, "toLast", "toFirst")}` : "side.none")}
        </ShareLine>
        <ShareLine name={t("length.name")} share={length} ends={[t("length.shorter"), t("length.longer")]}>
          {t(length ? `length.${lean(length, "toShorter", "toLonger")}` : "length.none")}
        </ShareLine>
      </ul>
    </Section>
  );
}

function Latest({ slug }: { slug: string }) {
  const { t } = useTranslation("work");
  const [limit, setLimit] = useState(20);
  const judgments = useQuery({ ...myJudgmentsQuery(slug, limit), placeholderData: (before) => before });
  return (
    <Section title={t("latest")}>
      <Loaded query={judgments}>
        {({ items, next }) =>
          items.length === 0 ? (
            <Empty icon="mine" title={t("none")} action={<ButtonLink to="/projects/$project/annotate" params={{ project: slug }} look="primary">{t("begin")}</ButtonLink>}>{t("noneText")}</Empty>
          ) : (
            <>
              <ul className="panel divide-y divide-line">{items.map((judgment) => <Judged key={judgment.id} slug={slug} judgment={judgment} />)}</ul>
              {(next || items.length >= limit) && limit < MOST && <Button className="mt-3" onClick={() => setLimit(Math.min(MOST, limit * 2 + 10))}>{t("more")}</Button>}
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

function Judged({ slug, judgment }: { slug: string; judgment: MyJudgment }) {
  const { t } = useTranslation("work");
  return (
    <li className="grid gap-x-6 gap-y-1 px-4 py-2.5 sm:grid-cols-[minmax(0,1fr)_11rem_8rem_auto] sm:items-baseline">
      <div>
        <p className="line-clamp-2 [overflow-wrap:anywhere]">{judgment.prompt_excerpt}</p>
        {judgment.comment && <p className="line-clamp-1 text-sm text-faint">“{judgment.comment}”</p>}
      </div>
      <div className="flex flex-wrap items-baseline gap-x-4 sm:contents">
        <p className="font-medium">
          {verdict(judgment.ranks, judgment.none_acceptable)}
          {!judgment.counted && <span className="ml-2 rounded-full bg-warn-wash px-2 py-0.5 text-xs font-normal whitespace-nowrap text-warn">{t("notCounted")}</span>}
        </p>
        <p className="text-sm text-faint"><Time at={judgment.created_at} /></p>
        <Link to="/projects/$project/annotate" params={{ project: slug }} search={{ again: judgment.id }} className="link justify-self-start py-1 text-sm whitespace-nowrap" aria-label={t("againOne", { prompt: judgment.prompt_excerpt })}>{t("again")}</Link>
      </div>
    </li>
  );
}

function Ranking({ slug }: { slug: string }) {
  const { t } = useTranslation("work");
  const ranking = useQuery(peopleRankingQuery(slug));
  return (
    <Section title={t("ranking")}>
      <p className="-mt-1 mb-3 text-soft">{t("rankingLead")}</p>
      <Loaded query={ranking}>
        {({ items }) => (
          <TableFrame label={t("ranking")}>
            <table className="table">
              <thead><tr><th className="number">{t("place")}</th><th>{t("person")}</th><th className="number">{t("judgments")}</th><th className="number">{t("time")}</th></tr></thead>
              <tbody>
                {items.map((person, at) => (
                  <tr key={at} className={person.me ? "font-medium text-accent" : ""}>
                    <td className="number">{count(at + 1)}</td>
                    <td>{person.name}{person.me && ` (${t("me")})`}</td>
                    <td className="number">{count(person.judgments)}</td>
                    <td className="number">{duration(person.active_ms / 1000)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </TableFrame>
        )}
      </Loaded>
    </Section>
  );
}
