/** Judgments as rows; each leads to its page. */
import { Link } from "@tanstack/react-router";
import type { JudgmentRow } from "../api/types";
import { TableFrame } from "../components/Page";
import { shortNames } from "../components/plot";
import { Time } from "../components/Time";
import { duration } from "../format";
import { Verdict } from "./Verdict";

export function JudgmentTable({ slug, items, label, annotator = true }: { slug: string; items: readonly JudgmentRow[]; label: string; annotator?: boolean }) {
  const short = shortNames([...new Set(items.flatMap(modelsOf))]);
  return (
    <TableFrame label={label}>
      <table className="table">
        <thead>
          <tr>
            <th>When</th>
            {annotator && <th>Annotator</th>}
            <th>Verdict</th>
            <th>Comment</th>
            <th className="number">Active time</th>
            <th><span className="sr-only">Prompt</span></th>
          </tr>
        </thead>
        <tbody>
          {items.map((judgment) => (
            <tr key={judgment.id} className={judgment.voided_at || !judgment.counted ? "text-faint" : ""}>
              <td>
                <Link to="/projects/$project/judgments/$judgment" params={{ project: slug, judgment: judgment.id }} className="link" aria-label={`Judgment of ${judgment.annotator.name}`}><Time at={judgment.created_at} /></Link>
              </td>
              {annotator && (
                <td>
                  <Link to="/projects/$project/annotators/$annotator" params={{ project: slug, annotator: judgment.annotator.id }} className="quiet-link">{judgment.annotator.name}</Link>
                </td>
              )}
              <td className="min-w-36 sm:min-w-56">
                <span className={judgment.voided_at ? "line-through" : ""}><Verdict names={modelsOf(judgment).map(short)} titles={modelsOf(judgment)} ranks={judgment.ranks} strength={judgment.strength} /></span>
                {judgment.voided_at && <span className="block text-sm">set aside</span>}
                {judgment.reason && <span className="block text-sm">not counted: {judgment.reason}</span>}
              </td>
              <td className="max-w-72 min-w-32"><span className="line-clamp-2">{judgment.comment}</span></td>
              <td className="number">{judgment.active_ms === null || judgment.active_ms === undefined ? "–" : duration(judgment.active_ms / 1000)}</td>
              <td><Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: judgment.prompt }} className="link">prompt</Link></td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

function modelsOf(judgment: JudgmentRow): string[] {
  return judgment.completions.map((one) => one.model.name);
}
