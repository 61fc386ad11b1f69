/** What annotators skipped or flagged, with their reasons: settle, resolve, reopen. */
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { flagsQuery, skipsQuery } from "../api/quality";
import { Segments } from "../components/Field";
import { Page, Section } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Empty, Loaded } from "../components/Status";
import { FlagRow } from "../review/FlagRow";
import { SkipRow } from "../review/SkipRow";

export function AttentionPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/attention" });
  return (
    <Page title="To look at" lead="Comparisons that annotators skipped or flagged. What is open here is counted in the menu.">
      <Flags slug={slug} />
      <Skips slug={slug} />
    </Page>
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
