/** Every judgment of a project, filtered; each leads to its own page. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { annotatorsQuery } from "../api/queries";
import { judgmentsQuery } from "../api/quality";
import type { JudgmentFilter } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Page } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Empty, Loaded } from "../components/Status";
import { JudgmentTable } from "../review/JudgmentTable";

export function JudgmentsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/judgments" });
  const filter = useSearch({ from: "/app/projects/$project/judgments" });
  const navigate = useNavigate({ from: "/projects/$project/judgments" });
  const cursor = useCursor();
  const judgments = useQuery({ ...judgmentsQuery(slug, filter, cursor.after), refetchInterval: cursor.number === 1 ? 10_000 : false });
  const choose = (part: JudgmentFilter) => {
    cursor.reset();
    void navigate({ search: { ...filter, ...part }, replace: true });
  };
  const filtered = Object.values(filter).some((value) => value !== undefined);
  return (
    <Page
      wide
      title="Judgments"
      lead="Facts: a judgment is never changed, only set aside, and everything else is computed from them."
      actions={<ButtonLink to="/projects/$project/disagreements" params={{ project: slug }}>Disagreements</ButtonLink>}
    >
      <Filters slug={slug} filter={filter} onChoose={choose} />
      <Loaded query={judgments}>
        {({ items, next }) =>
          items.length > 0 ? (
            <>
              <JudgmentTable slug={slug} items={items} label="Judgments" />
              <Pager cursor={cursor} next={next} />
            </>
          ) : filtered ? (
            <Empty icon="judgments" title="No judgment is like that" action={<Button onClick={() => choose({ annotator: undefined, prompt: undefined, kind: undefined, voided: undefined, disagreeing: undefined })}>Clear the filters</Button>}>
              Loosen one of the filters above.
            </Empty>
          ) : (
            <Empty icon="judgments" title="Nobody has judged yet" action={<ButtonLink to="/projects/$project/annotate" params={{ project: slug }} look="primary">Judge the first comparison</ButtonLink>}>
              Or <Link to="/projects/$project/annotators" params={{ project: slug }} className="link">invite annotators by a link</Link>.
            </Empty>
          )
        }
      </Loaded>
    </Page>
  );
}

function Filters({ slug, filter, onChoose }: { slug: string; filter: JudgmentFilter; onChoose: (part: JudgmentFilter) => void }) {
  const people = useQuery(annotatorsQuery(slug)).data?.items ?? [];
  const known = people.some((person) => person.id === filter.annotator);
  return (
    <div role="group" aria-label="Filters" className="mb-3 flex flex-wrap items-center gap-x-4 gap-y-2">
      <select aria-label="Annotator" className="field w-auto max-w-56" value={filter.annotator ?? ""} onChange={(event) => onChoose({ annotator: event.target.value || undefined })}>
        <option value="">Everybody</option>
        {filter.annotator && !known && <option value={filter.annotator}>One person</option>}
        {people.map((person) => <option key={person.id} value={person.id}>{person.name}</option>)}
      </select>
      <select aria-label="Kind" className="field w-auto" value={filter.kind ?? ""} onChange={(event) => onChoose({ kind: (event.target.value || undefined) as JudgmentFilter["kind"] })}>
        <option value="">Every kind</option>
        <option value="regular">Regular</option>
        <option value="repeat">Repeats</option>
        <option value="gold">Known answers</option>
        <option value="adjudication">Decisions</option>
      </select>
      <select aria-label="Whether they count" className="field w-auto" value={filter.voided === undefined ? "" : String(filter.voided)} onChange={(event) => onChoose({ voided: event.target.value === "" ? undefined : event.target.value === "true" })}>
        <option value="">Standing or set aside</option>
        <option value="false">Standing</option>
        <option value="true">Set aside</option>
      </select>
      <label className="flex items-center gap-2">
        <input type="checkbox" className="size-4" checked={filter.disagreeing ?? false} onChange={(event) => onChoose({ disagreeing: event.target.checked || undefined })} />
        Others said otherwise
      </label>
      {filter.prompt && <Button look="quiet" icon="close" onClick={() => onChoose({ prompt: undefined })}>Of one prompt</Button>}
    </div>
  );
}
