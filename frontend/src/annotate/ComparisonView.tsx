/**
 * One comparison: the conversation on top, the answers beside, below, or behind each other. Shows nothing that could
 * tell who wrote an answer. The comparison after this one is drawn by the same component, hidden, to be there at once.
 */
import { memo, useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Comparison, Span } from "../api/types";
import { Conversation } from "../components/Conversation";
import { Icon } from "../components/Icon";
import { count } from "../format";
import type { Layout } from "../preferences";
import { answerName } from "./answers";
import { diffWords } from "./diff";
import { COLUMN, Pane } from "./Pane";
import { type Order, rankOf } from "./ranking";
import { Swipe } from "./Swipe";
import type { Reading } from "./useReading";

interface ViewProps {
  comparison: Comparison;
  reading: Reading;
  /** One at a time: which answer is in front. */
  front: number;
  onFront: (place: number) => void;
  order: Order;
  onRank: (place: number) => void;
  spans: readonly Span[];
  onEdit: (at: number) => void;
  onRemove: (at: number) => void;
  /** A plain pair may be judged by a swipe. */
  onSwipeJudge: ((place: 0 | 1) => void) | null;
}

const GRIDS: Record<Layout, (size: number) => string> = {
  side: (size) => (size === 2 ? "grid-cols-2" : size === 3 ? "grid-cols-3" : size === 4 ? "grid-cols-2 2xl:grid-cols-4" : "grid-cols-2 xl:grid-cols-3"),
  stacked: () => "grid-cols-1",
  single: () => "grid-cols-1",
};

const BORDERS: Record<Layout, (size: number) => string> = {
  side: (size) => (size > 3 ? "-mt-px -ml-px border-t border-l" : "not-first:border-l"),
  stacked: () => "not-first:border-t",
  single: () => "",
};

export const ComparisonView = memo(function ComparisonView(props: ViewProps) {
  const { t } = useTranslation("annotate");
  const { comparison, reading, front, order, onSwipeJudge } = props;
  const { layout, plain, diff } = reading;
  const { completions } = comparison;
  const size = completions.length;
  const pieces = useMemo(
    () => (diff && size === 2 ? diffWords(completions[0]!.text, completions[1]!.text) : null),
    [diff, size, completions],
  );
  const spans = useMemo(() => completions.map((_, place) => props.spans.flatMap((span, at) => (span.completion === place ? [{ span, at }] : []))), [completions, props.spans]);
  // Two answers scroll each on their own; more than fit beside each other scroll together.
  const own = layout === "single" || (layout === "side" && size <= 3);
  const swiped = (direction: "left" | "right") => {
    if (onSwipeJudge) onSwipeJudge(direction === "left" ? 0 : 1);
    else props.onFront((front + (direction === "left" ? 1 : size - 1)) % size);
  };
  return (
    <article aria-label={t("pane.comparison")} tabIndex={-1} className="flex min-h-0 flex-1 flex-col">
      <PromptBox {...props} />
      {layout === "single" && <Tabs size={size} front={front} onFront={props.onFront} order={order} />}
      <Swipe enabled={onSwipeJudge !== null || layout === "single"} says={onSwipeJudge && { left: t("bar.aBetter"), right: t("bar.bBetter") }} onSwipe={swiped}>
        <div className={`grid min-h-0 flex-1 bg-surface ${GRIDS[layout](size)} ${own ? "desk:grid-rows-[minmax(0,1fr)]" : "auto-rows-max desk:overflow-y-auto"}`} {...(own ? {} : { "data-scroller": "", tabIndex: 0, role: "region", "aria-label": t("pane.answers") })}>
          {completions.map((completion, place) => (
            <Pane
              key={completion.id}
              text={completion.text}
              place={place}
              size={size}
              plain={plain}
              pieces={pieces?.[place as 0 | 1] ?? null}
              hidden={layout === "single" && place !== front}
              own={own}
              headed={layout !== "single" || size > 2}
              border={BORDERS[layout](size)}
              order={order}
              onRank={props.onRank}
              spans={spans[place]!}
              onEdit={props.onEdit}
              onRemove={props.onRemove}
            />
          ))}
        </div>
      </Swipe>
    </article>
  );
});

function Tabs({ size, front, onFront, order }: { size: number; front: number; onFront: (place: number) => void; order: Order }) {
  const { t } = useTranslation("annotate");
  return (
    <div role="group" aria-label={t("pane.tabs")} className="sticky top-0 z-20 bg-surface py-1.5">
      <div className={`flex gap-1 ${COLUMN} max-sm:px-3`}>
      {Array.from({ length: size }, (_, place) => {
        const rank = rankOf(order, place);
        return (
          <button
            key={place}
            type="button"
            aria-pressed={front === place}
            onClick={() => onFront(place)}
            className={`min-h-10 max-md:min-h-11 flex-1 rounded-md font-medium ${front === place ? "bg-accent-wash text-accent" : "text-soft hover:bg-sunken"}`}
          >
            {size === 2 ? t("pane.answer", { answer: answerName(place, size) }) : answerName(place, size)}
            {rank !== null && <span className="ml-1.5 text-xs">#{rank}</span>}
          </button>
        );
      })}
      </div>
    </div>
  );
}

/** Beyond this a prompt is long enough to be worth folding. */
const LONG = 420;

function PromptBox({ comparison, reading }: ViewProps) {
  const { t } = useTranslation("annotate");
  const { plain, folded, fold } = reading;
  const { messages } = comparison.prompt;
  const last = messages.at(-1)?.content ?? "";
  const foldable = messages.length > 1 || last.length > LONG;
  const shut = folded && foldable;
  return (
    <section aria-label={t("pane.prompt")} className="shrink-0 border-b border-line bg-page desk:max-h-[36dvh] desk:overflow-y-auto" tabIndex={foldable ? 0 : undefined}>
      <div className="max-w-[120ch] px-4 py-3 sm:px-6">
        {shut ? (
          <p className="line-clamp-3 text-md text-ink">{last}</p>
        ) : (
          <Conversation messages={messages} plain={plain} />
        )}
        {foldable && (
          <button type="button" onClick={fold} aria-expanded={!shut} className="mt-1.5 inline-flex min-h-7 items-center gap-1 rounded-sm text-sm text-accent max-md:min-h-11 hover:text-accent-strong">
            <Icon name="down" size={13} className={shut ? "" : "rotate-180"} />
            {shut ? (messages.length > 1 ? t("pane.unfoldAll", { count: messages.length, n: count(messages.length) }) : t("pane.unfold")) : t("pane.fold")}
          </button>
        )}
      </div>
    </section>
  );
}
