/** What a project asks besides the ranking: aspects, remarks, an ideal answer, a comment. All beside the bar, none in the way. */
import type { RefObject } from "react";
import { useTranslation } from "react-i18next";
import type { Protocol } from "../api/types";
import { Icon, type IconName } from "../components/Icon";
import { count } from "../format";
import { Aspects } from "./Aspects";
import type { Draft } from "./drafts";
import { wordCount } from "./IdealPanel";
import { keyLabel, type KeyMap } from "./keys";

interface ExtrasProps {
  protocol: Protocol;
  size: number;
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  keys: KeyMap | null;
  /** The aspect that the keyboard answers now. */
  aspect: number | null;
  onAspect: (at: number | null) => void;
  commentRef: RefObject<HTMLTextAreaElement | null>;
  onSend: () => void;
  onMark: () => void;
  /** Words are being chosen by key. */
  picking: boolean;
  onIdeal: () => void;
}

export function Extras({ protocol, size, draft, onChange, keys, aspect, onAspect, commentRef, onSend, onMark, picking, onIdeal }: ExtrasProps) {
  const { t } = useTranslation("annotate");
  const ideal = protocol.ideal_answer === "optional";
  if (protocol.aspects.length === 0 && protocol.comment === "off" && !protocol.spans && !ideal) return null;
  return (
    <div className="flex flex-wrap items-center gap-x-2 gap-y-2 border-t border-line bg-page px-3 py-2 md:gap-x-4 md:px-4 short:relative short:flex-nowrap short:overflow-x-auto short:py-1">
      {protocol.aspects.length > 0 && <Aspects protocol={protocol} size={size} value={draft.aspects} at={aspect} onAt={onAspect} onChange={(aspects) => onChange({ aspects })} />}
      {protocol.spans && <Tool icon="mark" label={t("remark.mark")} keyName={keys?.mark} pressed={picking} onClick={onMark} />}
      {ideal && (
        <Tool
          icon="pen"
          label={draft.ideal.trim() === "" ? t("ideal.write") : t("ideal.written", { count: wordCount(draft.ideal), n: count(wordCount(draft.ideal)) })}
          keyName={keys?.ideal}
          pressed={draft.ideal.trim() !== ""}
          onClick={onIdeal}
        />
      )}
      {picking && <p className="text-sm text-soft max-md:hidden">{t("remark.pickKeys")}</p>}
      {protocol.comment !== "off" && <Comment required={protocol.comment === "required"} draft={draft} onChange={onChange} fieldRef={commentRef} keyName={keys?.comment ?? null} onSend={onSend} />}
    </div>
  );
}

function Tool({ icon, label, keyName, pressed, onClick }: { icon: IconName; label: string; keyName: string | undefined; pressed: boolean; onClick: () => void }) {
  return (
    <button
      type="button"
      onClick={onClick}
      // A press must not take the selection away that it is about.
      onPointerDown={(event) => event.preventDefault()}
      className={`inline-flex min-h-9 shrink-0 items-center gap-1.5 rounded-md border px-3 text-sm max-md:min-h-11 ${pressed ? "border-accent bg-accent-wash text-accent" : "border-edge/60 bg-surface text-soft hover:text-ink"}`}
    >
      <Icon name={icon} />
      {label}
      {keyName && <span className="kbd max-sm:hidden">{keyLabel(keyName)}</span>}
    </button>
  );
}

interface CommentProps {
  required: boolean;
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  fieldRef: RefObject<HTMLTextAreaElement | null>;
  keyName: string | null;
  onSend: () => void;
}

function Comment({ required, draft, onChange, fieldRef, keyName, onSend }: CommentProps) {
  const { t } = useTranslation("annotate");
  /** A verdict waits for the comment that this project requires. */
  const waiting = draft.waiting !== null;
  return (
    <div className="flex min-w-0 flex-1 basis-28 items-center gap-2 md:basis-64 short:min-w-56">
      <textarea
        ref={fieldRef}
        dir="auto"
        aria-label={required ? t("comment.required") : t("comment.label")}
        aria-invalid={waiting || undefined}
        aria-describedby="comment-hint"
        rows={1}
        maxLength={10_000}
        value={draft.comment}
        onChange={(event) => onChange({ comment: event.target.value })}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            if (waiting) onSend();
            else event.currentTarget.blur();
          } else if (event.key === "Escape") event.currentTarget.blur();
        }}
        placeholder={required ? t("comment.why") : t("comment.optional")}
        className="field max-h-32 min-w-0 flex-1 resize-none [field-sizing:content] max-md:min-h-11"
      />
      <span id="comment-hint" className={`text-sm max-md:sr-only ${waiting ? "text-warn" : "text-faint"}`}>
        {waiting ? t("comment.sends") : keyName ? <><span className="kbd">{keyLabel(keyName)}</span> {t("comment.toWrite")}</> : t("comment.done")}
      </span>
    </div>
  );
}
