/** One flag: what it is about, why, and its answer. */
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { reopenFlag, resolveFlag } from "../api/quality";
import type { Flag } from "../api/types";
import { Button } from "../components/Button";
import { ErrorNote } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";

export function FlagRow({ slug, flag }: { slug: string; flag: Flag }) {
  const client = useQueryClient();
  const action = useAction();
  const [resolution, setResolution] = useState("");
  const changed = () => client.invalidateQueries({ queryKey: ["project", slug, "flags"] });
  const resolve = (event: FormEvent) => {
    event.preventDefault();
    void action.run(async () => {
      await resolveFlag(flag.id, resolution.trim() || null);
      await changed();
    }, "Resolved. It can be opened again under “All”.");
  };
  const reopen = () =>
    void action.run(async () => {
      await reopenFlag(flag.id);
      await changed();
    }, "Open again.");
  return (
    <li className="grid gap-2 px-4 py-3">
      <p className="text-md [overflow-wrap:anywhere]">{flag.reason}</p>
      <p className="text-sm text-faint">
        <Link to="/projects/$project/annotators/$annotator" params={{ project: slug, annotator: flag.annotator.id }} className="link">{flag.annotator.name}</Link>, <Time at={flag.created_at} /> · on{" "}
        <Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: flag.prompt.id }} className="link [overflow-wrap:anywhere]">{flag.prompt.excerpt || "(empty prompt)"}</Link>
      </p>
      {flag.resolved_at ? (
        <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
          <p className="min-w-0 flex-1 basis-52 text-soft">Resolved <Time at={flag.resolved_at} />{flag.resolution ? `: ${flag.resolution}` : "."}</p>
          <Button busy={action.busy} aria-label={`Open again: ${flag.reason}`} onClick={reopen}>Open again</Button>
        </div>
      ) : (
        <form onSubmit={resolve} className="flex flex-wrap gap-2">
          <input aria-label={`What was done about: ${flag.reason}`} className="field min-w-0 flex-1 basis-52" placeholder="What was done (optional)" maxLength={2000} value={resolution} onChange={(event) => setResolution(event.target.value)} />
          <Button type="submit" busy={action.busy} aria-label={`Resolve: ${flag.reason}`}>Resolve</Button>
        </form>
      )}
      <ErrorNote error={action.problem} />
    </li>
  );
}
