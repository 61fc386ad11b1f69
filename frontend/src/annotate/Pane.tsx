/** One answer: its name, its place in a ranking, its text, the remarks on it. Nothing tells who wrote it. */
import { memo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Span } from "../api/types";
import { Markdown } from "../components/Markdown";
import { answerName } from "./answers";
import type { Piece } from "./diff";
import { type Order, rankOf } from "./ranking";
import { RemarkList } from "./RemarkList";
import { useMarks } from "./useMarks";

/** The measure of a line of text; what belongs to an answer stands in it. */
export const COLUMN = "mx-auto max-w-[78ch] px-4 sm:px-6";

interface PaneProps {
  text: string;
  place: number;
  size: number;
  plain: boolean;
  pieces: Piece[] | null;
  hidden: boolean;
  /** It scrolls on its own. */
  own: boolean;
  /** Its name stands on it; one at a time it stands on the tab. */
  headed: boolean;
  border: string;
  order: Order;
  onRank: (place: number) => void;
  spans: readonly { span: Span; at: number }[];
  onEdit: (at: number) => void;
  onRemove: (at: number) => void;
}

export function Pane({ text, place, size, plain, pieces, hidden, own, headed, border, order, onRank, spans, onEdit, onRemove }: PaneProps) {
  const { t } = useTranslation("annotate");
  const root = useRef<HTMLDivElement>(null);
  const [here, setHere] = useState<number | null>(null);
  useMarks(root, text, spans, here);
  const name = answerName(place, size);
  return (
    <section
      hidden={hidden}
      aria-label={t("pane.answer", { answer: name })}
      data-answer={name}
      {...(own ? { "data-scroller": "", tabIndex: 0 } : {})}
      className={`isolate flex min-w-0 flex-col border-line focus-visible:-outline-offset-2 ${hidden ? "hidden" : ""} ${border} ${own ? "desk:overflow-y-auto" : ""}`}
    >
      {headed && <Head place={place} size={size} order={order} onRank={onRank} />}
      <div className={`w-full shrink-0 grow ${COLUMN} pb-8 ${headed ? "pt-1" : "pt-4"}`}>
        <div ref={root} {...(text.trim() === "" ? {} : { "data-text": place })}>
          <Answer text={text} plain={plain} pieces={pieces} />
        </div>
      </div>
      <RemarkList spans={spans} onHere={setHere} onEdit={onEdit} onRemove={onRemove} />
    </section>
  );
}

const Answer = memo(function Answer({ text, plain, pieces }: { text: string; plain: boolean; pieces: Piece[] | null }) {
  const { t } = useTranslation("annotate");
  if (text.trim() === "") return <p className="text-faint italic">{t("pane.empty")}</p>;
  if (pieces) {
    return (
      <div className="plain">
        {pieces.map((piece, at) => (piece.own ? <mark key={at} className="rounded-[3px] bg-mark text-ink underline decoration-warn decoration-1 underline-offset-[3px]">{piece.text}</mark> : <span key={at}>{piece.text}</span>))}
      </div>
    );
  }
  return plain ? <div className="plain">{text}</div> : <Markdown text={text} />;
});

function Head({ place, size, order, onRank }: { place: number; size: number; order: Order; onRank: (place: number) => void }) {
  const { t } = useTranslation("annotate");
  const name = answerName(place, size);
  const label = t("pane.answer", { answer: name });
  if (size === 2) {
    return (
      <h2 className="sticky top-0 z-10 bg-surface/95" aria-label={label}>
        <span className={`block pt-2.5 pb-1.5 ${COLUMN}`}><span className="title text-md text-accent">{name}</span></span>
      </h2>
    );
  }
  const rank = rankOf(order, place);
  const said = rank === 1 ? t("pane.best") : t("pane.rank", { rank: rank ?? 0 });
  return (
    <div className="sticky top-0 z-10 bg-surface/95">
      <div className={`flex items-center justify-between gap-2 pt-2 pb-1.5 ${COLUMN}`}>
        <h2 className="title text-md text-accent" aria-label={label}>{name}</h2>
        {/* One and the same button before and after, or the focus would be lost with it. */}
        <button
          type="button"
          onClick={rank === null ? () => onRank(place) : undefined}
          aria-disabled={rank !== null || undefined}
          aria-label={rank === null ? t("pane.placeName", { answer: name }) : `${label}: ${said}`}
          className={`min-h-8 rounded-md border px-3 text-sm max-md:min-h-11 ${rank === null ? "border-edge/60 text-soft hover:border-edge hover:text-ink" : "border-transparent bg-accent-wash font-medium text-accent"}`}
        >
          {rank === null ? <>{t("pane.place")} <span className="kbd ml-1">{place + 1}</span></> : said}
        </button>
      </div>
    </div>
  );
}
