/** What annotators skipped or flagged, with their reasons: settle, resolve, reopen. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { flagsQuery, skipsQuery } from "../api/quality";
import { annotatorsQuery } from "../api/queries";
import { Segments } from "../components/Field";
import { Page, Section } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Empty, Loaded } from "../components/Status";
import { plural } from "../format";
import { FlagRow } from "../review/FlagRow";
import { SignSentences } from "../review/Signs";
import { SkipRow } from "../review/SkipRow";

export function AttentionPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/attention" });
  return (
    <Page title="To look at" lead="Comparisons that annotators skipped or flagged, which the menu counts, and people whose judgments stand out.">
      <Flags slug={slug} />
      <Skips slug={slug} />
      <Signs slug={slug} />
    </Page>
  );
}

/** Nothing to settle: a sign goes away with what it is told from. */
function Signs({ slug }: { slug: string }) {
  const people = useQuery(annotatorsQuery(slug));
  return (
    <Section title="Annotators">
      <Loaded query={people}>
        {({ items }) => {
          const shown = items.filter((person) => person.signs.length > 0);
          return shown.length === 0 ? (
            <div className="panel"><Empty icon="check" title="Nobody stands out">Who answers by chance, leans to a side, clicks too fast or always answers the same appears here. Nobody is dropped by it.</Empty></div>
          ) : (
            <ul className="panel divide-y divide-line">
              {shown.map((person) => (
                <li key={person.id} className="px-4 py-3">
                  <p className="mb-1 flex flex-wrap items-baseline gap-x-2"><Link to="/projects/$project/annotators/$annotator" params={{ project: slug, annotator: person.id }} className="link font-medium">{person.name}</Link><span className="text-sm text-faint">{plural(person.judgments, "judgment")}</span></p>
                  <SignSentences signs={person.signs} />
                </li>
              ))}
            </ul>
          );
        }}
      </Loaded>
    </Section>
  );
}

function Flags({ slug }: { slug: string }) {
  const { flags: shown = "open" as const } = useSearch({ from: "/app/projects/$project/attention" });
  const navigate = useNavigate({ from: "/projects/$project/attention" });
  const cursor = useCursor();
  const open = shown === "open";
  const flags = useQuery(flagsQuery(slug, open, cursor.after));
  return (
    <Section
      className="mt-0"
      title="Flagged"
      actions={
        <Segments
          label="Which flags"
          value={shown as "open" | "all"}
          onChange={(value) => {
            cursor.reset();
            void navigate({ search: { flags: value === "open" ? undefined : value }, replace: true });
          }}
          options={[{ value: "open", label: "Open" }, { value: "all", label: "All" }]}
        />
      }
    >
      <Loaded query={flags}>
        {({ items, next }) =>
          items.length === 0 ? (
            <div className="panel"><Empty icon="check" title={open ? "No open flag" : "No flag yet"}>When an annotator flags a comparison, it appears here with the reason.</Empty></div>
          ) : (
            <>
              <ul className="panel divide-y divide-line">{items.map((flag) => <FlagRow key={flag.id} slug={slug} flag={flag} />)}</ul>
              <Pager cursor={cursor} next={next} />
            </>
          )
        }
      </Loaded>
    </Section>
  );
}

function Skips({ slug }: { slug: string }) {
  const cursor = useCursor();
  const skips = useQuery(skipsQuery(slug, cursor.after));
  return (
    <Section title="Skipped">
      <Loaded query={skips}>
        {({ items, next }) =>
          items.length === 0 ? (
            <div className="panel"><Empty icon="check" title="Nothing was skipped">What people skip appears here; how many skips put it aside is set in the settings.</Empty></div>
          ) : (
            <>
              <ul className="panel divide-y divide-line">{items.map((set) => <SkipRow key={set.set_key} slug={slug} set={set} />)}</ul>
              <Pager cursor={cursor} next={next} />
            </>
          )
        }
      </Loaded>
    </Section>
  );
}
