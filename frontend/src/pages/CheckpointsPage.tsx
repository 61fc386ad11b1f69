/** What training made. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { checkpointsQuery } from "../api/queries";
import { ButtonLink } from "../components/Button";
import { Page, TableFrame } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { bytes, KIND_NAMES } from "../format";
import { outcomeOf } from "../runs/outcome";

export function CheckpointsPage() {
  const checkpoints = useQuery({ ...checkpointsQuery, refetchInterval: 15_000 });
  return (
    <Page title="Checkpoints" lead="Folders of weights, each with the runs, rewards and judgments behind it. Any Hugging Face client can pull them from here.">
      <Loaded query={checkpoints}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="checkpoints" title="No checkpoint yet" action={<ButtonLink to="/runs">Look at the runs</ButtonLink>}>A training run leaves one when it succeeds.</Empty>
          ) : (
            <TableFrame label="Checkpoints">
              <table className="table">
                <thead><tr><th>Name</th><th>Outcome</th><th className="number">Size</th></tr></thead>
                <tbody>
                  {items.map((checkpoint) => (
                    <tr key={checkpoint.id}>
                      <td className="w-1/2">
                        <Link to="/checkpoints/$checkpoint" params={{ checkpoint: checkpoint.id }} className="link font-medium [overflow-wrap:anywhere]">{checkpoint.name}</Link>
                        {checkpoint.promoted_at && <span className="ml-2 rounded-full bg-accent-wash px-2 py-0.5 text-xs font-medium text-accent">promoted</span>}
                        <div className="text-sm text-faint [overflow-wrap:anywhere]">
                          {KIND_NAMES[checkpoint.kind] ?? checkpoint.kind}{checkpoint.parents.length > 0 && ` from ${checkpoint.parents.map((parent) => parent.name).join(", ")}`}, <Time at={checkpoint.created_at} />
                        </div>
                      </td>
                      <td className="text-sm">
                        {outcomeOf({ kind: checkpoint.kind, result: checkpoint.metrics })}
                      </td>
                      <td className="number">{bytes(checkpoint.size)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </TableFrame>
          )
        }
      </Loaded>
    </Page>
  );
}
