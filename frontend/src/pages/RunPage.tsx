/** One run, live: its state in words, how long it will take, its curves, texts and log, and what can be asked of it. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Fragment } from "react";
import { cancelRun, resumeRun, runQuery } from "../api/queries";
import type { Run } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Page } from "../components/Page";
import { Bones, ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";
import { KIND_NAMES } from "../format";
import { Curves } from "../runs/Curves";
import { OpenContest } from "../runs/OpenContest";
import { RunLog } from "../runs/RunLog";
import { RunState, STATE_ID } from "../runs/RunState";
import { Samples } from "../runs/Samples";
import { Settings } from "../runs/Settings";

const LIVE_MS = 2_000;

export function RunPage() {
  const { run: id } = useParams({ from: "/app/runs/$run" });
  const query = useQuery({
    ...runQuery(id),
    refetchInterval: (state) => (state.state.data && ["queued", "running"].includes(state.state.data.state) ? LIVE_MS : 15_000),
  });
  return <Loaded query={query} bones={<Bones rows={8} />}>{(run) => <Shown key={id} run={run} />}</Loaded>;
}

function Shown({ run }: { run: Run }) {
  const live = run.state === "running" || run.state === "queued";
  const texts = <Samples run={run} live={live} />;
  return (
    <Page
      title={run.name}
      back={<><Link to="/runs" search={run.project ? { project: run.project.slug } : {}} className="link">Runs</Link>{run.project && <> · <Link to="/projects/$project" params={{ project: run.project.slug }} className="link">{run.project.name}</Link></>}</>}
      lead={<>{KIND_NAMES[run.kind] ?? run.kind}, started by {run.created_by ?? "somebody"} <Time at={run.created_at} />{run.attempt > 1 && `, attempt ${run.attempt}`}</>}
      actions={<Moves run={run} />}
      wide
    >
      <RunState run={run} />
      {/* What was read of an earlier attempt may have been dropped. Above, the buttons stay: one of them may have the focus. */}
      <Fragment key={run.attempt}>
        {/* The steps of an evaluation are models, which no curve joins. */}
        {run.kind === "evaluate" ? texts : <Curves run={run} live={live}>{texts}</Curves>}
        <div className="grid grid-cols-1 gap-x-8 xl:grid-cols-2">
          <Settings run={run} />
          <RunLog run={run} live={live} />
        </div>
      </Fragment>
    </Page>
  );
}

function Moves({ run }: { run: Run }) {
  const client = useQueryClient();
  const action = useAction();
  // The button goes with its move: what it did, and so the focus, is where the run's state stands.
  const ask = async (move: typeof cancelRun) => {
    if (await action.run(async () => client.setQueryData(runQuery(run.id).queryKey, await move(run.id)))) document.getElementById(STATE_ID)?.focus();
  };
  const failed = run.state === "failed";
  return (
    <>
      <ErrorNote error={action.problem} />
      <OpenContest run={run} />
      {run.project && <ButtonLink to="/projects/$project/new-run" params={{ project: run.project.slug }} search={{ kind: run.kind, from: run.id }} look={failed ? "primary" : "plain"} title="Opens the form with these settings, to change some">Repeat with changes</ButtonLink>}
      {run.checkpoint && <ButtonLink to="/checkpoints/$checkpoint" params={{ checkpoint: run.checkpoint }} icon="checkpoints" look="primary">Its checkpoint</ButtonLink>}
      {run.moves.includes("resume") && <Button look={failed ? "plain" : "primary"} busy={action.busy} onClick={() => void ask(resumeRun)} title="Goes on from its last saved state, with the same settings">Resume</Button>}
      {run.moves.includes("cancel") && <Button look="danger" busy={action.busy} onClick={() => void ask(cancelRun)}>{run.state === "queued" ? "Cancel" : "Stop and save"}</Button>}
    </>
  );
}
