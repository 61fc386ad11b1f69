/** One set of answers that people skipped, and why; settled, others get it again. */
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { settleSkips } from "../api/quality";
import type { SkippedSet } from "../api/types";
import { Button } from "../components/Button";
import { ErrorNote } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";
import { plural } from "../format";

export function SkipRow({ slug, set }: { slug: string; set: SkippedSet }) {
  const client = useQueryClient();
  const action = useAction();
  const settle = () =>
    void action.run(async () => {
      await settleSkips(slug, set.set_key);
      await client.invalidateQueries({ queryKey: ["project", slug] });
    }, "Settled: others get this comparison again.");
  return (
    <li className="grid gap-2 px-4 py-3">
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-64">
          <Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: set.prompt.id }} className="link line-clamp-2 [overflow-wrap:anywhere]">{set.prompt.excerpt || "(empty prompt)"}</Link>
          <p className="text-sm text-faint">
            {plural(set.completions.length, "answer")}, skipped by {plural(set.skips.length, "person", "people")}
            {set.retired && <span className="ml-2 rounded-sm bg-warn-wash px-1.5 text-xs text-warn">put aside: nobody gets it</span>}
          </p>
        </div>
        <Button busy={action.busy} aria-label={`Hand out again: ${set.prompt.excerpt}`} onClick={settle}>Hand out again</Button>
      </div>
      <ul className="grid gap-1 text-sm">
        {set.skips.map((skip, at) => (
          <li key={at}>
            <Link to="/projects/$project/annotators/$annotator" params={{ project: slug, annotator: skip.annotator.id }} className="quiet-link font-medium">{skip.annotator.name}</Link>
            {": "}
            {skip.reason ?? <span className="text-faint">no reason given</span>} <span className="text-faint">· <Time at={skip.at} /></span>
          </li>
        ))}
      </ul>
      <ErrorNote error={action.problem} />
    </li>
  );
}
