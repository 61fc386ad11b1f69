/** Sets of answers on which people disagree, one in front at a time: read, decide by one key, take back. */
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { projectChanged, projectQuery, voidJudgment } from "../api/queries";
import { adjudicate, disagreementsQuery } from "../api/quality";
import type { Disagreement } from "../api/types";
import { Button, ButtonLink, IconButton } from "../components/Button";
import { Segments } from "../components/Field";
import { Page } from "../components/Page";
import { Bones, Empty, ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";
import { count } from "../format";
import { Dispute } from "../review/Dispute";
import type { Told } from "../review/RankPicker";

export function DisagreementsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/disagreements" });
  const { show = "open" } = useSearch({ from: "/app/projects/$project/disagreements" });
  const navigate = useNavigate({ from: "/projects/$project/disagreements" });
  const all = useInfiniteQuery({
    ...disagreementsQuery(slug, show === "decided"),
    // They are found while ratings are computed, a moment after the judgments.
    refetchInterval: (query) => (query.state.data?.pages[0]?.items.length === 0 ? SOON_MS : false),
  });
  const items = all.data?.pages.flatMap((page) => page.items);
  return (
    <Page
      wide
      title="Disagreements"
      back={<Link to="/projects/$project/judgments" params={{ project: slug }} className="link">Judgments</Link>}
      lead="Answers that people judged differently. Your decision is a judgment of its own."
      actions={<Segments label="Which disagreements" value={show} onChange={(value) => void navigate({ search: { show: value === "open" ? undefined : value }, replace: true })} options={[{ value: "open", label: "To decide" }, { value: "decided", label: "Decided" }]} />}
    >
      {all.isError && <ErrorNote error={all.error} retry={() => void all.refetch()} className="mb-3" />}
      {items === undefined ? (
        !all.isError && <Bones rows={8} />
      ) : (
        <Desk key={show} slug={slug} items={items} more={all.hasNextPage} onMore={() => void all.fetchNextPage()} decided={show === "decided"} />
      )}
    </Page>
  );
}

const SOON_MS = 3_000;

interface DeskProps {
  slug: string;
  items: readonly Disagreement[];
  more: boolean;
  onMore: () => void;
  decided: boolean;
}

/** Keeps its place by the set in front: the list moves up beneath it when one is decided. */
function Desk({ slug, items, more, onMore, decided }: DeskProps) {
  const client = useQueryClient();
  const protocol = useQuery(projectQuery(slug)).data?.protocol;
  const action = useAction();
  const [wanted, setWanted] = useState<string | null>(null);
  const [last, setLast] = useState<{ judgment: string; set: string } | null>(null);
  const at = Math.max(0, items.findIndex((one) => one.set_key === wanted));
  const front = items[at];

  const go = (step: 1 | -1) => {
    const next = items[at + step];
    if (next) setWanted(next.set_key);
    if (more && at + step >= items.length - 5) onMore();
  };
  const decide = (told: Told, comment: string, setAside: boolean, said: string) =>
    void action.run(async () => {
      const made = await adjudicate(slug, { set_key: front!.set_key, completions: front!.completions.map((one) => one.id), ...told, comment: comment.trim() || null, set_aside: setAside });
      setLast({ judgment: made.id, set: front!.set_key });
      setWanted((items[at + 1] ?? items[at - 1])?.set_key ?? null);
      if (more && items.length - at < 5) onMore();
      await projectChanged(client, slug);
    }, `${said}.`);
  const undo = (judgment: string, set: string) =>
    void action.run(async () => {
      await voidJudgment(judgment);
      setLast(null);
      await projectChanged(client, slug);
      setWanted(set);
      setTimeout(() => void projectChanged(client, slug), SOON_MS);
    }, "Taken back; what was set aside counts again.");
  const undoLast = last && !action.busy ? () => undo(last.judgment, last.set) : null;

  return (
    <>
      <ErrorNote error={action.problem} className="mb-3" />
      {front && protocol ? (
        <>
          <div className="mb-3 flex items-center gap-1">
            <IconButton icon="left" label="The one before" disabled={at === 0} onClick={() => go(-1)} />
            <IconButton icon="right" label="The next one" disabled={at >= items.length - 1} onClick={() => go(1)} />
            <p className="ml-1 text-soft" aria-live="polite">{count(at + 1)} of {count(items.length)}{more ? " and more" : ""}</p>
          </div>
          <Dispute
            key={front.set_key}
            slug={slug}
            dispute={front}
            protocol={protocol}
            busy={action.busy}
            onGo={go}
            onDecide={decide}
            onUndo={front.adjudicated ? () => undo(front.adjudicated!, front.set_key) : undoLast}
          />
        </>
      ) : (
        <Empty icon="check" title={decided ? "Nothing decided yet" : "No disagreement to decide"} action={undoLast ? <Button icon="undo" onClick={undoLast}>Take the last decision back</Button> : <ButtonLink to="/projects/$project/judgments" params={{ project: slug }} search={{ disagreeing: true }}>See judgments that differ</ButtonLink>}>
          {decided ? <>What you decide is kept here, and can be taken back. Where a decision set aside all that said otherwise, nobody disagrees any more: <Link to="/projects/$project/judgments" params={{ project: slug }} search={{ kind: "adjudication" }} className="link">all decisions</Link>.</> : "They appear when people judge the same answers differently, which takes an overlap of two or more."}
        </Empty>
      )}
    </>
  );
}
