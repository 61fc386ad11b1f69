/** The remarks on one answer, under it. Pointing at one shows where it belongs. */
import { useTranslation } from "react-i18next";
import type { Span } from "../api/types";
import { IconButton } from "../components/Button";

interface RemarkListProps {
  spans: readonly { span: Span; at: number }[];
  onHere: (at: number | null) => void;
  onEdit: (at: number) => void;
  onRemove: (at: number) => void;
}

export function RemarkList({ spans, onHere, onEdit, onRemove }: RemarkListProps) {
  const { t } = useTranslation("annotate");
  if (spans.length === 0) return null;
  return (
    <ul aria-label={t("remark.list")} className="sticky bottom-0 z-10 max-h-36 shrink-0 overflow-y-auto border-t border-line bg-page">
      {spans.map(({ span, at }) => (
        <li key={at} className="mx-auto flex max-w-[78ch] items-center gap-1 pr-2 pl-4 not-first:border-t not-first:border-line sm:pl-6">
          <button type="button" onClick={() => onEdit(at)} onMouseEnter={() => onHere(at)} onMouseLeave={() => onHere(null)} onFocus={() => onHere(at)} onBlur={() => onHere(null)} title={t("remark.change")} className="min-h-9 min-w-0 flex-1 py-1 text-left text-sm max-md:min-h-11">
            <q className="rounded-[3px] bg-mark px-0.5">{span.quote.length > 80 ? `${span.quote.slice(0, 80)}…` : span.quote}</q>{" "}
            <bdi className={span.remark ? "" : "text-faint"}>{span.remark || t("remark.without")}</bdi>
          </button>
          <IconButton icon="close" size={13} label={t("remark.remove")} onClick={() => onRemove(at)} className="max-md:size-11" />
        </li>
      ))}
    </ul>
  );
}
