/** What is to be said of the marked words. */
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../components/Button";
import { Tray } from "./Tray";
import type { Editing } from "./useRemarks";

interface RemarkPanelProps {
  editing: Editing;
  answer: string;
  onSave: (remark: string) => void;
  onRemove: () => void;
  onClose: () => void;
}

export function RemarkPanel({ editing, answer, onSave, onRemove, onClose }: RemarkPanelProps) {
  const { t } = useTranslation("annotate");
  const field = useRef<HTMLTextAreaElement>(null);
  const { span, at } = editing;
  return (
    <Tray label={t("remark.on", { answer })} closeLabel={t("closePanel")} onClose={onClose}>
      <p className="mb-1.5 line-clamp-2 text-sm text-soft">
        {t("remark.on", { answer })}: <q className="rounded-[3px] bg-mark px-0.5 text-ink">{span.quote.slice(0, 300)}</q>
      </p>
      <div className="flex flex-wrap items-end gap-2">
        <textarea
          ref={field}
          data-focus
          dir="auto"
          rows={1}
          maxLength={5000}
          defaultValue={span.remark}
          aria-label={t("remark.label")}
          placeholder={t("remark.hint")}
          className="field max-h-32 min-w-0 flex-1 basis-64 resize-none [field-sizing:content] max-md:min-h-11"
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
            event.preventDefault();
            onSave(event.currentTarget.value);
          }}
        />
        <Button look="primary" className="max-md:min-h-11" onClick={() => onSave(field.current?.value ?? "")}>{t("remark.save")}</Button>
        {at !== null && <Button className="max-md:min-h-11" onClick={onRemove}>{t("remark.remove")}</Button>}
      </div>
    </Tray>
  );
}
