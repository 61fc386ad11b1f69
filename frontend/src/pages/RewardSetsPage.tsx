/** The frozen reward sets of a project, and how to make one. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { createRewardSet, type Method, rewardSetsQuery } from "../api/queries";
import { Button, ButtonLink } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Field, Segments } from "../components/Field";
import { Page, TableFrame } from "../components/Page";
import { Empty, ErrorNote, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count } from "../format";

export const METHOD_NAMES: Record<string, string> = { elo: "Elo", bradley_terry: "Bradley-Terry" };

export function RewardSetsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/rewards" });
  const sets = useQuery(rewardSetsQuery(slug));
  const [making, setMaking] = useState(false);
  const make = <Button look="primary" icon="plus" onClick={() => setMaking(true)}>New reward set</Button>;
  return (
    <Page title="Rewards" lead="A reward set freezes the ratings of this moment as one number for each completion, with the judgments behind it. Training reads reward sets only, so a run can be repeated exactly." actions={sets.data && sets.data.items.length > 0 && make}>
      <Loaded query={sets}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="rewards" title="No reward set yet" action={make}>Make one when enough comparisons are judged. Later judgments do not change it; they go into the next one.</Empty>
          ) : (
            <TableFrame label="Reward sets">
              <table className="table">
                <thead><tr><th className="number">No.</th><th>Name</th><th>From</th><th className="number">Prompts</th><th className="number">Held out</th><th className="number">Completions</th><th className="number">Judgments</th><th>Made</th><th><span className="sr-only">Use</span></th></tr></thead>
                <tbody>
                  {items.map((set) => (
                    <tr key={set.id}>
                      <td className="number">{set.number}</td>
                      <td><Link to="/projects/$project/rewards/$set" params={{ project: slug, set: set.id }} className="link font-medium">{set.name}</Link></td>
                      <td>{METHOD_NAMES[set.method] ?? set.method}</td>
                      <td className="number">{count(set.prompts)}</td>
                      <td className="number">{count(set.held_out_prompts)}</td>
                      <td className="number">{count(set.completions)}</td>
                      <td className="number">{count(set.judgments)}</td>
                      <td><Time at={set.created_at} /></td>
                      <td><ButtonLink to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: "reward_model" }} look="quiet" className="min-h-7">Train on it</ButtonLink></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </TableFrame>
          )
        }
      </Loaded>
      {making && <Make slug={slug} onClose={() => setMaking(false)} />}
    </Page>
  );
}

function Make({ slug, onClose }: { slug: string; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [method, setMethod] = useState<Method>("elo");
  const [problem, setProblem] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const made = await createRewardSet(slug, { name: name.trim() || null, method, normalisation: "centred_global" });
      await client.invalidateQueries({ queryKey: rewardSetsQuery(slug).queryKey });
      await navigate({ to: "/projects/$project/rewards/$set", params: { project: slug, set: made.id } });
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title="New reward set" onClose={onClose} footer={<><Button look="quiet" onClick={onClose}>Cancel</Button><Button type="submit" form="new-reward-set" look="primary" busy={busy}>Freeze the rewards</Button></>}>
      <form id="new-reward-set" onSubmit={(event) => void submit(event)} className="grid gap-4">
        {problem !== null && <ErrorNote error={problem} />}
        <Field label="Name" optional>{(ids) => <input {...ids} className="field" data-focus value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <div>
          <p className="mb-1 font-medium">Ratings from</p>
          <Segments label="Ratings from" value={method} onChange={setMethod} options={[{ value: "elo", label: "Elo" }, { value: "bradley_terry", label: "Bradley-Terry" }]} />
        </div>
        <p className="text-sm text-faint">Rewards are centred within each prompt and scaled once over all prompts, so that a prompt whose answers hardly differ does not count as much as one whose answers do.</p>
      </form>
    </Dialog>
  );
}
