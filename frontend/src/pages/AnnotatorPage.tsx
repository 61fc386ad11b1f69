/** One person at work in a project: their own numbers, where they stand, every judgment, and setting them aside. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { judgmentsQuery, personQuery } from "../api/quality";
import type { Person } from "../api/types";
import { Button } from "../components/Button";
import { Page, Section } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Bones, Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, duration } from "../format";
import { Interval } from "../review/Interval";
import { JudgmentTable } from "../review/JudgmentTable";
import { StandingPanel } from "../review/StandingPanel";
import { VoidAll } from "../review/VoidAll";
import { Voidings } from "../review/Voidings";

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
