/** One checkpoint: where it came from, its numbers, its files, and how to pull it. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { checkpointQuery, promoteCheckpoint, runQuery } from "../api/queries";
import type { Checkpoint } from "../api/types";
import { Button } from "../components/Button";
import { CopyText } from "../components/Copy";
import { Icon } from "../components/Icon";
import { Page, Section, TableFrame } from "../components/Page";
import { ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { useAction } from "../components/useAction";
import { bytes, KIND_NAMES } from "../format";
import { Result } from "../runs/Result";

export function CheckpointPage() {
  const { checkpoint: id } = useParams({ from: "/app/checkpoints/$checkpoint" });
  const query = useQuery(checkpointQuery(id));
  const checkpoint = query.data;
  return (
    <Page
      title={checkpoint?.name ?? "Checkpoint"}
      back={<Link to="/checkpoints" className="link">Checkpoints</Link>}
      lead={checkpoint && <>{KIND_NAMES[checkpoint.kind] ?? checkpoint.kind}, made <Time at={checkpoint.created_at} />, {bytes(checkpoint.size)}</>}
      actions={checkpoint && <Promote checkpoint={checkpoint} />}
    >
      <Loaded query={query}>{(data) => <Shown checkpoint={data} />}</Loaded>
    </Page>
  );
}

function Promote({ checkpoint }: { checkpoint: Checkpoint }) {
  const client = useQueryClient();
  const action = useAction();
  if (checkpoint.promoted_at) return <span className="inline-flex items-center gap-1.5 rounded-full bg-accent-wash px-3 py-1 text-accent"><Icon name="check" /> Promoted <Time at={checkpoint.promoted_at} /></span>;
  const promote = () =>
    void action.run(async () => {
      client.setQueryData(checkpointQuery(checkpoint.id).queryKey, await promoteCheckpoint(checkpoint.id));
      await client.invalidateQueries({ queryKey: ["checkpoints"] });
    }, "Promoted.");
  return (
    <>
      <ErrorNote error={action.problem} />
      <Button look="primary" busy={action.busy} onClick={promote} title="Mark it as the one to use">Promote</Button>
    </>
  );
}

function Shown({ checkpoint }: { checkpoint: Checkpoint }) {
  return (
    <>
      <Section title="How it came to be" className="mt-0"><Lineage checkpoint={checkpoint} /></Section>
      {Object.keys(checkpoint.metrics).length > 0 && (
        <Section title="Numbers">
          <Measured checkpoint={checkpoint} />
        </Section>
      )}
      <Section title="Pull it">
        <div className="grid gap-2">
          <CopyText text={checkpoint.pull.command} label="On the command line" />
          <CopyText text={checkpoint.pull.python} label="In Python" />
        </div>
        <p className="mt-1.5 text-sm text-faint">Programs need a token with the scope “read”: <Link to="/preferences" className="link">make one in the preferences</Link>.</p>
      </Section>
      <Section title="Files">
        <TableFrame label="Files">
          <table className="table">
            <thead><tr><th>File</th><th className="number">Size</th><th>SHA-256</th></tr></thead>
            <tbody>
              {checkpoint.files.map((file) => (
                <tr key={file.path}>
                  <td><a className="link font-mono text-sm" href={`/api/v1/checkpoints/${checkpoint.id}/files/${file.path.split("/").map(encodeURIComponent).join("/")}`} download>{file.path}</a></td>
                  <td className="number">{bytes(file.size)}</td>
                  <td className="font-mono text-xs text-faint" title={file.sha256}>{file.sha256.slice(0, 16)}…</td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableFrame>
      </Section>
    </>
  );
}

/** What its run found; the numbers of the last step stay behind a fold. */
function Measured({ checkpoint }: { checkpoint: Checkpoint }) {
  const run = useQuery(runQuery(checkpoint.run)).data;
  const name = checkpoint.name.replaceAll("/", "-");
  if (!run?.result) return <Result run={{ kind: checkpoint.kind, name, config: {}, project: null }} values={checkpoint.metrics} />;
  return (
    <>
      <Result run={{ ...run, name }} values={run.result} />
      <p className="mt-2 text-sm text-soft">Its course: <Link to="/runs/$run" params={{ run: run.id }} className="link">the curves, texts and settings of its run</Link>.</p>
    </>
  );
}

/** Parents and rewards on the left, the run in the middle, this checkpoint on the right. */
function Lineage({ checkpoint }: { checkpoint: Checkpoint }) {
  const run = useQuery(runQuery(checkpoint.run)).data;
  const slug = run?.project?.slug;
  return (
    <div className="panel grid items-center gap-x-2 gap-y-3 p-4 md:grid-cols-[1fr_auto_1fr_auto_1fr]">
      <div className="grid gap-2">
        {checkpoint.parents.map((parent) => (
          <Node key={parent.id} what={KIND_NAMES[parent.kind] ?? parent.kind}><Link to="/checkpoints/$checkpoint" params={{ checkpoint: parent.id }} className="link">{parent.name}</Link></Node>
        ))}
        {checkpoint.reward_set && <Node what="Reward set">{slug ? <Link to="/projects/$project/rewards/$set" params={{ project: slug, set: checkpoint.reward_set }} className="link">the rewards it learned from</Link> : "of its project"}</Node>}
        {checkpoint.parents.length === 0 && !checkpoint.reward_set && <Node what="Start">no checkpoint of this Podium</Node>}
      </div>
      <Arrow />
      <Node what="Run"><Link to="/runs/$run" params={{ run: checkpoint.run }} className="link">{run?.name ?? "its run"}</Link></Node>
      <Arrow />
      <Node what="This checkpoint" strong>
        {checkpoint.name}
        <span className="block font-mono text-xs font-normal text-faint" title={checkpoint.revision}>{checkpoint.revision.slice(0, 12)}</span>
        {checkpoint.model && slug && (
          <span className="mt-1 flex flex-wrap gap-x-4 text-sm">
            <Link to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: "sample", model: checkpoint.name }} className="link inline-flex min-h-7 items-center">Let it answer prompts</Link>
            <Link to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: "evaluate", model: checkpoint.name }} className="link inline-flex min-h-7 items-center">Compare it with others</Link>
          </span>
        )}
      </Node>
    </div>
  );
}

function Node({ what, strong, children }: { what: string; strong?: boolean; children: ReactNode }) {
  return (
    <div className={`rounded-md px-3 py-2 ${strong ? "bg-accent-wash font-medium" : "bg-sunken"}`}>
      <div className="text-xs font-normal text-faint">{what}</div>
      <div className="[overflow-wrap:anywhere]">{children}</div>
    </div>
  );
}

function Arrow() {
  return <Icon name="right" className="justify-self-center text-faint max-md:rotate-90" />;
}
