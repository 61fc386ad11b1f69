/** Asks why, for a skip or a flag: one digit, one click, or own words and Enter. */
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { type About, reasonsOf } from "./reasons";
import { Tray } from "./Tray";

interface ChipsProps {
  about: About;
  onChoose: (reason: string) => void;
  keys?: boolean;
}

export function ReasonChips({ about, onChoose, keys = false }: ChipsProps) {
  const { t } = useTranslation("annotate");
  return reasonsOf(about).map(({ name, text }, at) => (
    <button key={name} type="button" onClick={() => onChoose(text)} className="inline-flex min-h-8 items-center gap-1.5 rounded-full border border-edge/60 bg-surface px-3 text-sm hover:border-accent hover:bg-accent-wash max-md:min-h-11">
      {keys && <span className="kbd max-sm:hidden">{at + 1}</span>}
      {t(`${about}.reasons.${name}` as "skip.reasons.long")}
    </button>
  ));
}

interface ReasonPanelProps {
  about: About;
  onReason: (reason: string | null) => void;
  onClose: () => void;
}

export function ReasonPanel({ about, onReason, onClose }: ReasonPanelProps) {
  const { t } = useTranslation("annotate");
  const field = useRef<HTMLInputElement>(null);
  const send = () => {
    const words = field.current?.value.trim() ?? "";
    if (words !== "") onReason(words);
    else if (about === "skip") onReason(null);
  };
  return (
    <Tray label={t(`${about}.why`)} closeLabel={t("closePanel")} onClose={onClose}>
      <div className="flex flex-wrap items-center gap-x-2 gap-y-2">
        <span className="mr-1 font-medium">{t(`${about}.why`)}</span>
        <ReasonChips about={about} keys onChoose={onReason} />
        <input
          ref={field}
          data-focus
          dir="auto"
          maxLength={2000}
          aria-label={t(`${about}.own`)}
          placeholder={t(`${about}.ownHint`)}
          className="field min-w-40 flex-1 basis-56 max-md:min-h-11"
          onKeyDown={(event) => {
            if (event.nativeEvent.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
            if (event.key === "Enter") {
              event.preventDefault();
              send();
            } else if (event.currentTarget.value === "" && /^[1-5]$/.test(event.key)) {
              event.preventDefault();
              onReason(reasonsOf(about)[Number(event.key) - 1]!.text);
            }
          }}
        />
        <button type="button" onClick={send} className="min-h-9 rounded-md border border-edge/60 bg-surface px-3 font-medium hover:border-accent max-md:min-h-11">{t(`${about}.send`)}</button>
      </div>
    </Tray>
  );
}
