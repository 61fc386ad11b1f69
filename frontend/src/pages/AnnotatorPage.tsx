/** One person at work in a project: their own numbers, where they stand, every judgment, and setting them aside. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { judgmentsQuery, personQuery } from "../api/quality";
import type { Person } from "../api/types";
import { Button } from "../components/Button";
import { Figure } from "../components/Figure";
import { Forest } from "../components/Forest";
import { Page, Section } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Bones, Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, duration, signed } from "../format";
import { Course } from "../review/Course";
import { Interval } from "../review/Interval";
import { JudgmentTable } from "../review/JudgmentTable";
import { SignSentences } from "../review/Signs";
import { StandingPanel } from "../review/StandingPanel";
import { VoidAll } from "../review/VoidAll";
import { Voidings } from "../review/Voidings";
import { CLOSE } from "../review/Whisker";

export function AnnotatorPage() {
  const { project: slug, annotator: id } = useParams({ from: "/app/projects/$project/annotators/$annotator" });
  const person = useQuery(personQuery(slug, id));
  return (
    <Loaded query={person} bones={<Bones rows={8} />}>
      {(data) => <Shown slug={slug} person={data} />}
    </Loaded>
  );
}

function Shown({ slug, person }: { slug: string; person: Person }) {
  const cursor = useCursor();
  const judgments = useQuery(judgmentsQuery(slug, { annotator: person.id }, cursor.after, 25));
  const [voiding, setVoiding] = useState(false);
  return (
    <Page
      wide
      title={person.name}
      back={<Link to="/projects/$project/annotators" params={{ project: slug }} className="link">Annotators</Link>}
      lead={<>Last seen <Time at={person.last_seen_at ?? person.last_judgment_at} />.</>}
      actions={person.judgments > 0 && <Button look="danger" onClick={() => setVoiding(true)}>Set all judgments aside</Button>}
    >
      {person.signs.length > 0 && (
        <section aria-labelledby="signs" className="panel mb-4 border-warn/50 px-4 py-3">
          <h2 id="signs" className="title mb-1.5 text-lg">To look at</h2>
          <SignSentences signs={person.signs} />
          <p className="mt-2 text-sm text-faint">Judgments below tell more than figures do. They all count until you set them aside.</p>
        </section>
      )}
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Numbers title="Work">
          <Number name="Judgments">{count(person.judgments)}<Faint>{count(person.today)} today</Faint></Number>
          <Number name="Active time">{duration(person.active_ms / 1000)}<Faint>{duration(person.active_ms_today / 1000)} today</Faint></Number>
          <Number name="Median of a judgment">{person.median_active_ms === null ? "–" : duration(person.median_active_ms / 1000)}</Number>
          <Number name="Skipped">{count(person.skipped)}</Number>
          <Number name="Flagged">{count(person.flagged)}</Number>
        </Numbers>
        <Numbers title="Care">
          <Number name="With the majority"><Interval label="With the majority" share={person.agreement} /></Number>
          <Number name="Same again, sides swapped"><Interval label="Same again" share={person.self_consistency} /></Number>
          <Number name="Known answers right"><Interval label="Known answers right" share={person.gold} /></Number>
          <Number name="The first shown preferred"><Interval label="The first shown preferred" share={person.left_lean} expected={0.5} /></Number>
          <Number name="The longer one preferred"><Interval label="The longer one preferred" share={person.length_lean} /></Number>
        </Numbers>
      </div>
      <div className="mt-4 grid items-start gap-4 lg:grid-cols-2">
        <Course slug={slug} annotator={person.id} file={`care-${person.name}`} />
        <Fits person={person} />
      </div>
      <StandingPanel slug={slug} person={person} standing={person.standing} />
      <Voidings slug={slug} annotator={person.id} />
      <Section title="Judgments">
        <Loaded query={judgments}>
          {({ items, next }) =>
            items.length === 0 ? (
              <Empty icon="judgments" title="None yet">Judgments appear here as soon as they are sent.</Empty>
            ) : (
              <>
                <JudgmentTable slug={slug} items={items} label={`Judgments of ${person.name}`} annotator={false} />
                <Pager cursor={cursor} next={next} />
              </>
            )
          }
        </Loaded>
      </Section>
      {voiding && <VoidAll slug={slug} person={person} onClose={() => setVoiding(false)} />}
    </Page>
  );
}

/** Slope and lean in each fit: the newest first. */
function Fits({ person }: { person: Person }) {
  const newest = person.fits[0];
  if (!newest) return null;
  const rows = (of: "slope" | "lean") => person.fits.map((fit) => ({ key: String(fit.number), name: `Fit ${fit.number}`, value: fit[of], low: fit[of] - CLOSE * fit[`${of}_error`], high: fit[of] + CLOSE * fit[`${of}_error`] }));
  const counts = newest.slope <= 0 ? "Where ratings are weighted, judgments of this person count nothing" : `Where ratings are weighted, judgments of this person count with slope ${newest.slope.toFixed(2)}`;
  return (
    <Figure
      title="Slope and lean"
      file={`fits-${person.name}`}
      caption={`${counts}, and the lean is taken out. Slope: 1 is the average vote, 0 is guessing. Lean: what being shown first is worth, in log-odds.`}
      data={{ columns: ["fit", "made", "slope", "slope error", "lean", "lean error", "judged pairs"], rows: person.fits.map((fit) => [fit.number, fit.created_at, fit.slope, fit.slope_error, fit.lean, fit.lean_error, fit.votes]) }}
    >
      {(["slope", "lean"] as const).map((of) => (
        <div key={of}>
          <h3 className="mt-1 mb-0.5 text-sm font-medium text-soft">{of === "slope" ? "Slope" : "Lean"}</h3>
          <Forest label={`${of === "slope" ? "Slope" : "Lean"} in each fit: ${person.fits.map((fit) => signed(fit[of])).join(", ")}`} zero={0} format={(value) => signed(value, 1)} rows={rows(of).map((row) => ({ ...row, note: signed(row.value) }))} />
        </div>
      ))}
    </Figure>
  );
}

function Numbers({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="panel px-4 py-3">
      <h2 className="title mb-1.5 text-lg">{title}</h2>
      <dl>{children}</dl>
    </section>
  );
}

function Number({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-baseline justify-between gap-x-4 border-t border-line py-1.5 first:border-t-0">
      <dt className="text-soft">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Faint({ children }: { children: ReactNode }) {
  return <span className="ml-2 text-sm text-faint">{children}</span>;
}
