/** What I have judged in this project. */
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { myJudgmentsQuery, progressQuery } from "../api/queries";
import type { Progress } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Page, Section, TableFrame } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, verdict } from "../format";

const MOST = 200;

export function MyWorkPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/mine" });
  const progress = useQuery(progressQuery(slug));
  const [limit, setLimit] = useState(20);
  const judgments = useQuery({ ...myJudgmentsQuery(slug, limit), placeholderData: (before) => before });
  return (
    <Page title="My work" actions={<ButtonLink to="/projects/$project/annotate" params={{ project: slug }} look="primary" icon="annotate">Continue</ButtonLink>}>
      <Loaded query={progress} bones={<div className="skeleton h-24" />}>{(data) => <Counts progress={data} />}</Loaded>
      <Section title="Latest judgments">
        <Loaded query={judgments}>
          {({ items, next }) =>
            items.length === 0 ? (
              <Empty icon="mine" title="Nothing judged yet">Your judgments appear here, newest first. The last one can be undone on the annotate page.</Empty>
            ) : (
              <>
                <TableFrame label="My latest judgments">
                  <table className="table">
                    <thead><tr><th>Prompt</th><th>Verdict</th><th>When</th></tr></thead>
                    <tbody>
                      {items.map((judgment) => (
                        <tr key={judgment.id}>
                          <td className="min-w-56"><span className="line-clamp-2">{judgment.prompt_excerpt}</span></td>
                          <td className="whitespace-nowrap">{verdict(judgment.ranks, judgment.none_acceptable)}</td>
                          <td><Time at={judgment.created_at} /></td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </TableFrame>
                {(next || items.length >= limit) && limit < MOST && <Button className="mt-3" onClick={() => setLimit(Math.min(MOST, limit * 2 + 10))}>Show more</Button>}
              </>
            )
          }
        </Loaded>
      </Section>
    </Page>
  );
}

function Counts({ progress }: { progress: Progress }) {
  const numbers: [string, number][] = [["today", progress.today], ["by me", progress.mine], ["skipped", progress.skipped], ["in the project", progress.judgments]];
  return (
    <dl className="panel grid grid-cols-2 gap-px overflow-hidden bg-line sm:grid-cols-4">
      {numbers.map(([name, number]) => (
        <div key={name} className="bg-surface px-4 py-3">
          <dt className="text-sm text-faint">{name}</dt>
          <dd className="title text-2xl">{count(number)}</dd>
        </div>
      ))}
    </dl>
  );
}
