/** People at work in a project: how much, how carefully, where they stand; invitations, and what was voided. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { agreementQuery, annotatorsQuery } from "../api/queries";
import type { Worker } from "../api/types";
import { Button } from "../components/Button";
import { Figure, Figures } from "../components/Figures";
import { InviteDialog } from "../components/InviteDialog";
import { Page, TableFrame } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, duration, percent } from "../format";
import { StandingBadge } from "../review/StandingBadge";
import { Voidings } from "../review/Voidings";

export function AnnotatorsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/annotators" });
  const annotators = useQuery({ ...annotatorsQuery(slug), refetchInterval: 30_000 });
  const agreement = useQuery(agreementQuery(slug)).data;
  const [inviting, setInviting] = useState(false);
  return (
    <Page
      wide
      title="Annotators"
      lead="Who works on this project, and how carefully. Open somebody to see their own numbers and judgments."
      actions={<Button look="primary" icon="plus" onClick={() => setInviting(true)}>Invite somebody</Button>}
    >
      {agreement && agreement.units > 0 && (
        <Figures className="mb-4">
          <Figure name="With the majority" value={agreement.majority_agreement === null ? "–" : percent(agreement.majority_agreement)} hint="How often a person says what most of the others said of the same answers." />
          <Figure name="Krippendorff’s α" value={agreement.alpha_nominal === null ? "–" : agreement.alpha_nominal.toFixed(2)} hint="Agreement beyond chance: 0 is chance, 1 is perfect." />
          <Figure name="Judged more than once" value={count(agreement.units)} hint="Sets of answers on which agreement can be measured." />
        </Figures>
      )}
      <Loaded query={annotators}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="people" title="Nobody works here yet" action={<Button look="primary" onClick={() => setInviting(true)}>Invite somebody</Button>}>
              A link is enough: whoever opens it makes an account and can begin.
            </Empty>
          ) : (
            <People slug={slug} items={items} />
          )
        }
      </Loaded>
      <Voidings slug={slug} annotator={null} />
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
    </Page>
  );
}

function share(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : percent(value);
}

function People({ slug, items }: { slug: string; items: readonly Worker[] }) {
  const tested = items.some((person) => person.standing);
  return (
    <TableFrame label="Annotators">
      <table className="table">
        <thead>
          <tr>
            <th>Annotator</th>
            {tested && <th>Standing</th>}
            <th className="number">Today</th>
            <th className="number">Judgments</th>
            <th className="number" title="Time with the page in view and in use">Active time</th>
            <th className="number">Median</th>
            <th className="number" title="How often this person says what most of the others say">With the majority</th>
            <th className="number" title="How often the same verdict came again when the sides were swapped">Same again</th>
            <th className="number" title="Known answers given right">Gold right</th>
            <th className="number" title="How often the left answer wins; half is what to expect">Left preferred</th>
            <th className="number">Skipped</th>
            <th className="number">Flagged</th>
            <th>Last seen</th>
          </tr>
        </thead>
        <tbody>
          {items.map((person) => (
            <tr key={person.id}>
              <td className="min-w-32 font-medium">
                <Link to="/projects/$project/annotators/$annotator" params={{ project: slug, annotator: person.id }} className="link">{person.name}</Link>
              </td>
              {tested && <td>{person.standing ? <StandingBadge standing={person.standing} /> : <span className="text-faint">–</span>}</td>}
              <td className="number">{count(person.today)}</td>
              <td className="number">{count(person.judgments)}</td>
              <td className="number">{duration(person.active_ms_total / 1000)}</td>
              <td className="number">{person.median_active_ms === null || person.median_active_ms === undefined ? "–" : duration(person.median_active_ms / 1000)}</td>
              <td className="number">{share(person.majority_agreement)}</td>
              <td className="number">{share(person.repeat_consistency)}</td>
              <td className="number">{share(person.gold_right_share)}{person.gold_answers > 0 && <span className="text-faint"> of {count(person.gold_answers)}</span>}</td>
              <td className="number">
                {share(person.left_share)}
                {leans(person) && <span className="ml-1.5 rounded-sm bg-warn-wash px-1.5 text-xs text-warn">leans</span>}
              </td>
              <td className="number">{count(person.skipped)}</td>
              <td className="number">{count(person.flagged)}</td>
              <td><Time at={person.last_seen_at ?? person.last_judgment_at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}

/** Further from half than chance would be (95 %). */
function leans({ left_share: left, judgments }: Worker): boolean {
  return left !== null && left !== undefined && judgments >= 30 && Math.abs(left - 0.5) > 1.96 * Math.sqrt(0.25 / judgments);
}
