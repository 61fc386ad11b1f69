/** What a project asks besides the ranking: its aspects, and a comment. Both stay beside the bar, neither is in the way. */
import type { RefObject } from "react";
import type { Protocol } from "../api/types";
import { Segments } from "../components/Field";
import { answerName } from "./answers";
import type { Draft } from "./drafts";
import { keyLabel } from "./keys";

interface ExtrasProps {
  protocol: Protocol;
  size: number;
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  commentRef: RefObject<HTMLTextAreaElement | null>;
  commentKey: string | null;
  onSend: () => void;
}

/** Ranks of one aspect from one choice: the best one before the rest, or all equal. */
function aspectRanks(choice: string, size: number): number[] {
  return Array.from({ length: size }, (_, place) => (choice === "=" || choice === String(place) ? 1 : 2));
}

function choiceOf(ranks: number[] | undefined): string | null {
  if (!ranks) return null;
  return ranks.every((rank) => rank === 1) ? "=" : String(ranks.indexOf(1));
}

export function Extras({ protocol, size, draft, onChange, commentRef, commentKey, onSend }: ExtrasProps) {
  const { aspects, comment } = draft;
  /** A verdict waits for the comment that this project requires. */
  const waiting = draft.waiting !== null;
  if (protocol.aspects.length === 0 && protocol.comment === "off") return null;
  const places = Array.from({ length: size }, (_, place) => ({ value: String(place), label: answerName(place, size) }));
  const options = size === 2 ? [places[0]!, { value: "=", label: "same" }, places[1]!] : [...places, { value: "=", label: "same" }];
  return (
    <div className="flex flex-wrap items-center gap-x-6 gap-y-2 border-t border-line bg-page px-3 py-2 md:px-4">
      {protocol.aspects.map((aspect) => (
        <div key={aspect.name} className="flex items-center gap-2" title={aspect.definition || undefined}>
          <span className="text-sm text-soft">{aspect.name}</span>
          <Segments
            label={`${aspect.name}: ${aspect.definition || "which answer is better"}`}
            value={choiceOf(aspects[aspect.name])}
            options={options}
            onChange={(choice) => onChange({ aspects: { ...aspects, [aspect.name]: aspectRanks(choice, size) } })}
          />
        </div>
      ))}
      {protocol.comment !== "off" && (
        <div className="flex min-w-0 flex-1 basis-64 items-center gap-2">
          <textarea
            ref={commentRef}
            aria-label={protocol.comment === "required" ? "Comment, required" : "Comment"}
            aria-invalid={waiting || undefined}
            aria-describedby="comment-hint"
            rows={1}
            maxLength={10_000}
            value={comment}
            onChange={(event) => onChange({ comment: event.target.value })}
            onKeyDown={(event) => {
              if (event.nativeEvent.isComposing) return;
              if (event.key === "Enter" && !event.shiftKey) {
                event.preventDefault();
                if (waiting) onSend();
                else event.currentTarget.blur();
              } else if (event.key === "Escape") event.currentTarget.blur();
            }}
            placeholder={protocol.comment === "required" ? "Why? One sentence is enough." : "Comment (optional)"}
            className="field max-h-32 min-w-0 flex-1 resize-none [field-sizing:content]"
          />
          <span id="comment-hint" className={`text-sm max-md:sr-only ${waiting ? "text-warn" : "text-faint"}`}>
            {waiting ? "Enter sends your judgment with it" : commentKey ? <><span className="kbd">{keyLabel(commentKey)}</span> to write, Enter when done</> : "Enter when done"}
          </span>
        </div>
      )}
    </div>
  );
}
