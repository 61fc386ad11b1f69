/** What stands in place of a comparison: bones while one is fetched, why there is none, or what went wrong. */
import type { Project } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Empty, ErrorNote } from "../components/Status";

interface WaitingProps {
  status: "loading" | "ready" | "empty" | "failed";
  problem: Error | null;
  onRetry: () => void;
  slug: string;
  project: Project | null;
  admin: boolean;
}

export function Waiting({ status, problem, onRetry, slug, project, admin }: WaitingProps) {
  if (status === "failed") {
    return (
      <div className="flex-1 p-6">
        <ErrorNote error={problem ?? "No comparison could be loaded."} retry={onRetry} className="mx-auto max-w-xl" />
      </div>
    );
  }
  if (status === "empty") {
    const bare = project !== null && project.counts.completions === 0;
    const stopped = project !== null && project.state !== "active";
    return (
      <div className="flex-1">
        <Empty
          icon="annotate"
          title={stopped ? `This project is ${project.state}` : bare ? "There is nothing to compare yet" : "All done for now"}
          action={
            <>
              {admin && bare && <ButtonLink to="/projects/$project" params={{ project: slug }} look="primary">Add prompts and answers</ButtonLink>}
              {!bare && <ButtonLink to="/projects/$project/mine" params={{ project: slug }}>Look at my work</ButtonLink>}
              <Button onClick={onRetry}>Look again</Button>
            </>
          }
        >
          {stopped
            ? "Comparisons are handed out again when an admin makes it active."
            : bare
              ? "Comparisons appear as soon as prompts have at least two answers."
              : "Every comparison is judged or with somebody else. New ones appear here by themselves."}
        </Empty>
      </div>
    );
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col" role="status" aria-label="Loading the next comparison">
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

