/**
 * One comparison: the conversation on top, the answers beside, below, or behind each other. Shows nothing that could
 * tell who wrote an answer. The comparison after this one is drawn by the same component, hidden, to be there at once.
 */
import { memo, type PointerEvent, useMemo, useRef } from "react";
import type { Comparison } from "../api/types";
import { Conversation } from "../components/Conversation";
import { Icon } from "../components/Icon";
import { Markdown } from "../components/Markdown";
import { plural } from "../format";
import type { Layout } from "../preferences";
import { answerName } from "./answers";
import { diffWords, type Piece } from "./diff";
import { type Order, rankOf } from "./ranking";
import type { Reading } from "./useReading";

interface ViewProps {
  comparison: Comparison;
  reading: Reading;
  /** One at a time: which answer is in front. */
  front: number;
  onFront: (place: number) => void;
  order: Order;
  onRank: (place: number) => void;
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

/** The measure of a line of text; what belongs to an answer stands in it. */
const COLUMN = "mx-auto max-w-[78ch] px-4 sm:px-6";

export const ComparisonView = memo(function ComparisonView(props: ViewProps) {
  const { comparison, reading, front, order } = props;
  const { layout, plain, diff } = reading;
  const { completions } = comparison;
  const size = completions.length;
  const pieces = useMemo(
    () => (diff && size === 2 ? diffWords(completions[0]!.text, completions[1]!.text) : null),
    [diff, size, completions],
  );
  // Two answers scroll each on their own; more than fit beside each other scroll together.
  const own = layout === "single" || (layout === "side" && size <= 3);
  return (
    <article aria-label="Comparison" className="flex min-h-0 flex-1 flex-col">
      <PromptBox {...props} />
      {layout === "single" && <Tabs size={size} front={front} onFront={props.onFront} order={order} />}
      <Swipe enabled={layout === "single"} onSwipe={(step) => props.onFront((front + step + size) % size)}>
        <div className={`grid min-h-0 flex-1 bg-surface ${GRIDS[layout](size)} ${own ? "desk:grid-rows-[minmax(0,1fr)]" : "auto-rows-max desk:overflow-y-auto"}`} {...(own ? {} : { "data-scroller": "", tabIndex: 0, role: "region", "aria-label": "Answers" })}>
          {completions.map((completion, place) => (
            <section
              key={completion.id}
              hidden={layout === "single" && place !== front}
              aria-label={`Answer ${answerName(place, size)}`}
              data-answer={answerName(place, size)}
              {...(own ? { "data-scroller": "", tabIndex: 0 } : {})}
              className={`min-w-0 border-line focus-visible:-outline-offset-2 ${BORDERS[layout](size)} ${own ? "desk:overflow-y-auto" : ""}`}
            >
              {(layout !== "single" || size > 2) && <AnswerHead place={place} size={size} order={order} onRank={props.onRank} />}
              <div className={`${COLUMN} pb-8 ${layout === "single" && size === 2 ? "pt-4" : "pt-1"}`}>
                <Answer text={completion.text} plain={plain} pieces={pieces?.[place as 0 | 1] ?? null} />
              </div>
            </section>
          ))}
        </div>
      </Swipe>
    </article>
  );
});

function Answer({ text, plain, pieces }: { text: string; plain: boolean; pieces: Piece[] | null }) {
  if (text.trim() === "") return <p className="text-faint italic">This answer is empty.</p>;
  if (pieces) {
    return (
      <div className="plain">
        {pieces.map((piece, at) => (piece.own ? <mark key={at} className="rounded-[3px] bg-mark text-ink underline decoration-warn decoration-1 underline-offset-[3px]">{piece.text}</mark> : <span key={at}>{piece.text}</span>))}
      </div>
    );
  }
  return plain ? <div className="plain">{text}</div> : <Markdown text={text} />;
}

function AnswerHead({ place, size, order, onRank }: { place: number; size: number; order: Order; onRank: (place: number) => void }) {
  const name = answerName(place, size);
  if (size === 2) {
    return (
      <h2 className="sticky top-0 z-10 bg-surface/95" aria-label={`Answer ${name}`}>
        <span className={`block pt-2.5 pb-1.5 ${COLUMN}`}><span className="title text-md text-accent">{name}</span></span>
      </h2>
    );
  }
  const rank = rankOf(order, place);
  return (
    <div className="sticky top-0 z-10 bg-surface/95">
      <div className={`flex items-center justify-between gap-2 pt-2 pb-1.5 ${COLUMN}`}>
        <h2 className="title text-md text-accent" aria-label={`Answer ${name}`}>{name}</h2>
        <RankButton place={place} rank={rank} name={name} onRank={onRank} />
      </div>
    </div>
  );
}

function RankButton({ place, rank, name, onRank }: { place: number; rank: number | null; name: string; onRank: (place: number) => void }) {
  return rank === null ? (
    <button type="button" onClick={() => onRank(place)} className="min-h-8 rounded-md border border-edge/60 px-3 text-sm text-soft hover:border-edge hover:text-ink max-md:min-h-11" aria-label={`Place answer ${name} next`}>
      Place next <span className="kbd ml-1">{place + 1}</span>
    </button>
  ) : (
    <span className="min-h-8 rounded-md bg-accent-wash px-3 py-1 text-sm font-medium text-accent">{rank === 1 ? "Best" : `Place ${rank}`}</span>
  );
}

function Tabs({ size, front, onFront, order }: { size: number; front: number; onFront: (place: number) => void; order: Order }) {
  return (
    <div role="group" aria-label="Which answer is shown" className="sticky top-0 z-20 bg-surface py-1.5">
      <div className={`flex gap-1 ${COLUMN} max-sm:px-3`}>
      {Array.from({ length: size }, (_, place) => {
        const rank = rankOf(order, place);
        return (
          <button
            key={place}
            type="button"
            aria-pressed={front === place}
            onClick={() => onFront(place)}
            className={`min-h-10 flex-1 rounded-md font-medium ${front === place ? "bg-accent-wash text-accent" : "text-soft hover:bg-sunken"}`}
          >
            {size === 2 ? `Answer ${answerName(place, size)}` : answerName(place, size)}
            {rank !== null && <span className="ml-1.5 text-xs">#{rank}</span>}
          </button>
        );
      })}
      </div>
    </div>
  );
}

/** A finger drawn sideways turns to the other answer, unless it moves something that scrolls sideways itself. */
function Swipe({ enabled, onSwipe, children }: { enabled: boolean; onSwipe: (step: 1 | -1) => void; children: React.ReactNode }) {
  const start = useRef<{ x: number; y: number } | null>(null);
  const down = (event: PointerEvent) => {
    const sideways = event.target instanceof Element && event.target.closest("pre, .scroll, .katex-display, button") !== null;
    start.current = enabled && event.pointerType === "touch" && !sideways ? { x: event.clientX, y: event.clientY } : null;
  };
  const up = (event: PointerEvent) => {
    if (!start.current) return;
    const dx = event.clientX - start.current.x;
    const dy = event.clientY - start.current.y;
    start.current = null;
    if (Math.abs(dx) > 64 && Math.abs(dy) < 48) onSwipe(dx < 0 ? 1 : -1);
  };
  return (
    <div className={`flex min-h-0 flex-1 flex-col ${enabled ? "touch-pan-y" : ""}`} onPointerDown={down} onPointerUp={up} onPointerCancel={() => (start.current = null)}>
      {children}
    </div>
  );
}

/** Beyond this a prompt is long enough to be worth folding. */
const LONG = 420;

function PromptBox({ comparison, reading }: ViewProps) {
  const { plain, folded, fold } = reading;
  const { messages } = comparison.prompt;
  const last = messages.at(-1)?.content ?? "";
  const foldable = messages.length > 1 || last.length > LONG;
  const shut = folded && foldable;
  return (
    <section aria-label="Prompt" className="shrink-0 border-b border-line bg-page desk:max-h-[36dvh] desk:overflow-y-auto" tabIndex={foldable ? 0 : undefined}>
      <div className="max-w-[120ch] px-4 py-3 sm:px-6">
        {shut ? (
          <p className="line-clamp-3 text-md text-ink">{last}</p>
        ) : (
          <Conversation messages={messages} plain={plain} />
        )}
        {foldable && (
          <button type="button" onClick={fold} aria-expanded={!shut} className="mt-1.5 inline-flex min-h-7 items-center gap-1 rounded-sm text-sm text-accent hover:text-accent-strong">
            <Icon name="down" size={13} className={shut ? "" : "rotate-180"} />
            {shut ? (messages.length > 1 ? `Show all ${plural(messages.length, "message")}` : "Show the whole prompt") : "Fold the prompt"}
          </button>
        )}
      </div>
    </section>
  );
}
