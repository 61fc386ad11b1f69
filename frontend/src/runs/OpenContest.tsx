/** Let people compare what the models of a run said, without knowing whose it is: a project of its own is opened. */
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { openContest } from "../api/queries";
import type { Run } from "../api/types";
import { Button } from "../components/Button";
import { ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";

export function OpenContest({ run }: { run: Run }) {
  const action = useAction();
  const client = useQueryClient();
  const navigate = useNavigate();
  const models = run.config["models"];
  if (run.state !== "succeeded" || !run.project || !Array.isArray(models) || models.length < 2) return null;
  const project = run.project.slug;
  const open = () =>
    void action.run(async () => {
      const made = await openContest(project, models.map(String), promptsOf(run.config["prompts"]));
      await client.invalidateQueries({ queryKey: ["projects"] });
      await navigate({ to: "/projects/$project", params: { project: made.slug } });
    }, "A blind contest is open.");
  return (
    <>
      <ErrorNote error={action.problem} />
      <Button busy={action.busy} onClick={open} title="Opens a project in which people compare these models' answers without knowing whose they are">Let people judge</Button>
    </>
  );
}

function promptsOf(value: unknown): "all" | "train" | "held_out" {
  return value === "train" || value === "held_out" ? value : "all";
}
