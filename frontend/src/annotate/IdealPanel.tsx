/** Writing the answer that should have been given: from nothing, or from one of the answers. */
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Comparison } from "../api/types";
import { Button } from "../components/Button";
import { count } from "../format";
import { answerName } from "./answers";
import { words } from "./diff";
import { Tray } from "./Tray";

interface IdealPanelProps {
  comparison: Comparison;
  text: string;
  onChange: (text: string) => void;
  onClose: () => void;
}

export function wordCount(text: string): number {
  return words(text).filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
}

export function IdealPanel({ comparison, text, onChange, onClose }: IdealPanelProps) {
  const { t } = useTranslation("annotate");
  const field = useRef<HTMLTextAreaElement>(null);
  const size = comparison.completions.length;
  /** As if it were typed, so that the browser's own undo brings back what was there. */
  const put = (start: string) => {
    const element = field.current;
    if (!element) return;
    element.focus();
    element.select();
    // Deprecated, but still the only way into a field's own undo; where it does nothing, the text is set.
    const typed = start !== "" && document.execCommand("insertText", false, start);
    if (!typed) onChange(start);
    element.setSelectionRange(0, 0);
    element.scrollTop = 0;
  };
  return (
    <Tray label={t("ideal.title")} closeLabel={t("closePanel")} onClose={onClose}>
      <div className="mb-2 flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <span className="font-medium">{t("ideal.title")}</span>
        <span role="group" aria-label={t("ideal.from")} className="flex flex-wrap items-center gap-1.5 text-sm">
          <span className="text-faint">{t("ideal.from")}</span>
          {comparison.completions.map((completion, place) => (
            <Button key={completion.id} className="min-h-8 px-2.5 max-md:min-h-11 max-md:min-w-11" aria-label={t("ideal.fromAnswer", { answer: answerName(place, size) })} onClick={() => put(completion.text)}>{answerName(place, size)}</Button>
          ))}
          <Button className="min-h-8 px-2.5 max-md:min-h-11" onClick={() => put("")} disabled={text === ""}>{t("ideal.empty")}</Button>
        </span>
      </div>
      <textarea
        ref={field}
        data-focus
        dir="auto"
        maxLength={100_000}
        value={text}
        onChange={(event) => onChange(event.target.value)}
        aria-label={t("ideal.title")}
        aria-describedby="ideal-hint"
        placeholder={t("ideal.hint")}
        className="field h-[min(38dvh,26rem)] resize-none leading-relaxed [font-size:var(--reading)]"
      />
      <p id="ideal-hint" className="mt-1 text-sm text-faint">
        {t("ideal.words", { count: wordCount(text), n: count(wordCount(text)) })} · {t("ideal.kept")} <span className="kbd">Esc</span>
      </p>
    </Tray>
  );
}
