/** One reward down to the judgments and people behind it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { rewardQuery } from "../api/queries";
import { Dialog } from "../components/Dialog";
import { TableFrame } from "../components/Page";
import { shortNames } from "../components/plot";
import { Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, figure, plural, signed } from "../format";

const SAID: Record<string, string> = { "1": "better than", "0.5": "as good as", "0": "worse than" };

export function Why({ set, slug, completion, onClose }: { set: string; slug: string; completion: string; onClose: () => void }) {
  const reward = useQuery(rewardQuery(set, completion));
  return (
    <Dialog title="Why this reward" shape="wide" onClose={onClose}>
      <Loaded query={reward}>
        {(data) => {
          const short = shortNames([...new Set([data.model, ...data.because.map((one) => one.model)])]);
          return (
            <>
              <p className="mb-1 [overflow-wrap:anywhere]">
                <span className="font-medium" title={data.model}>{short(data.model)}</span> on <Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: data.prompt }} className="link">{data.prompt_excerpt || "(empty prompt)"}</Link>
              </p>
              <p className="mb-3 text-soft">
                Reward {signed(data.reward, 3)} from a rating of {count(data.rating)}{data.standard_error !== null && ` ± ${count(data.standard_error)}`}, made from {plural(data.because.length, "outcome")}.
              </p>
              <TableFrame label="Outcomes behind the reward">
                <table className="table">
                  <thead><tr><th>Annotator</th><th>Said it is</th><th>the answer of</th><th className="number">Weight</th><th>When</th></tr></thead>
                  <tbody>
                    {data.because.map((one) => (
                      <tr key={`${one.judgment} ${one.other}`}>
                        <td>{one.annotator}</td>
                        <td>{SAID[String(one.score)] ?? figure(one.score)}{one.comment && <p className="text-sm text-faint">“{one.comment}”</p>}</td>
                        <td title={one.model}>{short(one.model)}</td>
                        <td className="number">{figure(one.weight)}</td>
                        <td><Time at={one.created_at} />{one.voided_at !== null && <span className="text-warn"> · taken back since</span>}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </TableFrame>
            </>
          );
        }}
      </Loaded>
    </Dialog>
  );
}
