/** Comparisons whose answer is known: what each is for, how often it was answered, how often right. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { projectQuery } from "../api/queries";
import { goldQuery } from "../api/quality";
import type { Gold, GoldUse } from "../api/types";
import { ButtonLink } from "../components/Button";
import { Segments } from "../components/Field";
import { Page, TableFrame } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, percent } from "../format";
import { USES } from "../review/goldUses";

type Shown = GoldUse | "retired" | "all";

export function GoldPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/gold" });
  const { use = "all" } = useSearch({ from: "/app/projects/$project/gold" });
  const navigate = useNavigate({ from: "/projects/$project/gold" });
  const gold = useQuery(goldQuery(slug));
  const project = useQuery(projectQuery(slug)).data;
  const checks = gold.data?.some((one) => one.use === "check" && one.retired_at === null) ?? false;
  const add = <ButtonLink to="/projects/$project/gold/new" params={{ project: slug }} look="primary" icon="plus">Add gold</ButtonLink>;
  return (
    <Page wide title="Gold" lead="Comparisons whose answer is known, to teach, to test, and to see who reads with care." actions={add}>
      {project && gold.data && checks !== project.gold_share > 0 && (
        <p className="mb-4 rounded-md bg-warn-wash px-3.5 py-2.5 text-warn">
          {checks ? "There are checks, but none is mixed in: the share is 0%." : `${percent(project.gold_share)} of comparisons should be checks, but there is none.`}{" "}
          <Link to="/projects/$project/settings" params={{ project: slug }} className="underline underline-offset-3">Change the share in the settings</Link>
        </p>
      )}
      <Loaded query={gold}>
        {(items) =>
          items.length === 0 ? (
            <Empty icon="check" title="No gold yet" action={add}>
              Choose a prompt whose best answer nobody would dispute, and say why it is best. Five to ten are enough to begin.
            </Empty>
          ) : (
            <>
              <Segments<Shown>
                label="Which gold"
                value={use}
                onChange={(value) => void navigate({ search: { use: value === "all" ? undefined : value }, replace: true })}
                options={[{ value: "all", label: "In use" }, { value: "check", label: "Checks" }, { value: "practice", label: "Practice" }, { value: "qualification", label: "Qualification" }, { value: "retired", label: "Retired" }]}
                className="mb-3 flex-wrap"
              />
              <Table slug={slug} items={items.filter((one) => (use === "retired" ? one.retired_at !== null : one.retired_at === null && (use === "all" || one.use === use)))} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function Table({ slug, items }: { slug: string; items: readonly Gold[] }) {
  if (items.length === 0) return <div className="panel"><Empty icon="check" title="None of these">Choose another kind above, or add one.</Empty></div>;
  return (
    <TableFrame label="Gold">
      <table className="table">
        <thead><tr><th>Prompt</th><th>Use</th><th className="number">Answers to rank</th><th className="number" title="How often annotators have judged it">Judged</th><th className="number">Right</th><th>Added</th></tr></thead>
        <tbody>
          {items.map((one) => (
            <tr key={one.id} className={one.retired_at ? "text-faint" : ""}>
              <td className="min-w-72"><Link to="/projects/$project/gold/$gold" params={{ project: slug, gold: one.id }} className="link line-clamp-2">{one.prompt.excerpt || "(empty prompt)"}</Link></td>
              <td title={USES[one.use].hint}>{USES[one.use].name}{one.retired_at && ", retired"}</td>
              <td className="number">{count(one.completions.length)}</td>
              <td className="number">{count(one.answers)}</td>
              <td className="number">
                {one.right_share === null ? "–" : percent(one.right_share)}
                {doubtful(one) && <span className="ml-1.5 rounded-sm bg-warn-wash px-1.5 text-xs text-warn" title="Most people say otherwise: look whether this answer is beyond dispute.">doubtful</span>}
              </td>
              <td><Time at={one.created_at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

/** Known answers that most people do not give are more often wrong than all these people. */
function doubtful(gold: Gold): boolean {
  return gold.right_share !== null && gold.answers >= 5 && gold.right_share < 0.5;
}
