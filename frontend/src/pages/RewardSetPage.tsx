/** One reward set: how the rewards are spread, and each of them. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { rewardSetQuery, rewardsQuery } from "../api/queries";
import { ButtonLink } from "../components/Button";
import { Page, Section, TableFrame } from "../components/Page";
import { shortNames } from "../components/plot";
import { Pager, useCursor } from "../components/Pager";
import { Loaded } from "../components/Status";
import { count, figure, signed } from "../format";
import { Compare } from "../rewards/Compare";
import { SetFacts } from "../rewards/SetFacts";
import { Shape } from "../rewards/Shape";
import { Why } from "../rewards/Why";

export function RewardSetPage() {
  const { project: slug, set: id } = useParams({ from: "/app/projects/$project/rewards/$set" });
  const set = useQuery(rewardSetQuery(id));
  const cursor = useCursor();
  const rewards = useQuery(rewardsQuery(id, cursor.after));
  const [open, setOpen] = useState<string | null>(null);
  return (
    <Page
      title={set.data?.name ?? "Reward set"}
      back={<Link to="/projects/$project/rewards" params={{ project: slug }} className="link">Rewards</Link>}
      actions={<ButtonLink to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: "reward_model" }} look="primary">Train a reward model</ButtonLink>}
    >
      <Loaded query={set}>
        {(data) => (
          <>
            <SetFacts set={data} slug={slug} />
            <Shape set={data} onOpen={setOpen} />
            <Compare set={data} slug={slug} />
          </>
        )}
      </Loaded>
      <Section title="Rewards">
        <Loaded query={rewards}>
          {({ items, next }) => {
            const most = Math.max(1e-9, ...items.map((item) => Math.abs(item.reward)));
            const short = shortNames([...new Set(items.map((item) => item.model))]);
            return (
              <>
                <TableFrame label="Rewards">
                  <table className="table">
                    <thead><tr><th>Prompt</th><th className="max-sm:hidden">Model</th><th className="number">Rating</th><th className="number">Reward</th><th className="w-28"><span className="sr-only">Size</span></th><th className="number">Weight</th><th className="number">Judgments</th><th>Part</th><th><span className="sr-only">Why</span></th></tr></thead>
                    <tbody>
                      {items.map((item) => (
                        <tr key={item.completion} className="*:align-middle">
                          <td className="min-w-40 sm:min-w-52"><Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: item.prompt }} className="quiet-link line-clamp-2 [overflow-wrap:anywhere]" title={item.prompt_excerpt}>{item.prompt_excerpt || "(empty prompt)"}</Link><span className="text-sm text-faint [overflow-wrap:anywhere] sm:hidden" title={item.model}>{short(item.model)}</span></td>
                          <td className="min-w-32 max-sm:hidden [overflow-wrap:anywhere]" title={item.model}>{short(item.model)}</td>
                          <td className="number">{count(item.rating)}{item.standard_error !== null && <span className="text-faint"> ± {count(item.standard_error)}</span>}</td>
                          <td className="number">{signed(item.reward, 3)}</td>
                          <td aria-hidden="true"><Size share={item.reward / most} /></td>
                          <td className="number">{figure(item.weight)}</td>
                          <td className="number">{count(item.judgments)}</td>
                          <td className="whitespace-nowrap text-faint">{item.split === "held_out" ? "held out" : "train"}</td>
                          <td>{item.judgments > 0 && <button type="button" className="link min-h-7" onClick={() => setOpen(item.completion)}>Why</button>}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </TableFrame>
                <Pager cursor={cursor} next={next} />
              </>
            );
          }}
        </Loaded>
      </Section>
      {open !== null && <Why set={id} slug={slug} completion={open} onClose={() => setOpen(null)} />}
    </Page>
  );
}

/** A bar from the middle, right for good and left for bad. */
function Size({ share }: { share: number }) {
  const width = `${Math.abs(share) * 50}%`;
  return (
    <div className="relative h-5">
      <div className="absolute inset-y-0 left-1/2 border-l border-edge/60" />
      <div className={`absolute top-1.5 h-2 rounded-full ${share < 0 ? "bg-warn/60" : "bg-accent"}`} style={share < 0 ? { right: "50%", width } : { left: "50%", width }} />
    </div>
  );
}
