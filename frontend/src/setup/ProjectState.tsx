/** Whether a project is open: pause, close, archive, and each way back. Takes effect at once, for each can be undone. */
import { useQueryClient } from "@tanstack/react-query";
import { changeProject, projectChanged } from "../api/queries";
import type { Project } from "../api/types";
import { Button } from "../components/Button";
import { ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";

type State = Project["state"];

const SAID: Record<State, string> = {
  active: "Open: comparisons are handed out.",
  paused: "Paused: nothing is handed out for now. What is on a screen can still be judged.",
  closed: "Closed: the study is over. Everything stays readable, and rewards can be made of it.",
  archived: "Archived: out of the lists, nothing is handed out. Everything can still be read and exported.",
};

const MOVES: Record<State, { to: State; label: string }[]> = {
  active: [{ to: "paused", label: "Pause" }, { to: "closed", label: "Close" }, { to: "archived", label: "Archive" }],
  paused: [{ to: "active", label: "Go on" }, { to: "closed", label: "Close" }, { to: "archived", label: "Archive" }],
  closed: [{ to: "active", label: "Open again" }, { to: "archived", label: "Archive" }],
  archived: [{ to: "active", label: "Bring back, open" }, { to: "closed", label: "Bring back, closed" }],
};

export function ProjectState({ project }: { project: Project }) {
  const client = useQueryClient();
  const action = useAction();
  const move = (state: State) =>
    void action.run(async () => {
      await changeProject(project.slug, { state });
      await projectChanged(client, project.slug);
    }, SAID[state]);
  return (
    <section aria-label="State" className="panel mb-6 flex flex-wrap items-center gap-x-4 gap-y-3 px-5 py-3.5">
      <p className="min-w-0 flex-1 basis-72">{SAID[project.state]}</p>
      <div className="flex flex-wrap gap-2">
        {MOVES[project.state].map(({ to, label }) => <Button key={to} busy={action.busy} onClick={() => move(to)}>{label}</Button>)}
      </div>
      <ErrorNote error={action.problem} className="basis-full" />
    </section>
  );
}
