/** What a key means in front of one comparison. Pure: knows no page, only what is asked and how keys are given. */
import type { Protocol } from "../api/types";
import type { Answer } from "./answers";
import { type Action, actionOf, grades, type KeyMap } from "./keys";

export type Command =
  | { do: "answer"; answer: Answer }
  /** Ranks the answer at this place next. */
  | { do: "place"; place: number }
  | { do: "tied" }
  | { do: "back" }
  | { do: Exclude<Action, "left" | "right" | "tie" | "none"> };

/** A verdict or a step to it: these wait until the comparison has been on the screen for an instant. */
export function judges(command: Command): boolean {
  return command.do === "answer" || command.do === "place" || command.do === "skip";
}

export interface Asked {
  protocol: Protocol | null;
  size: number;
}

/** Null: the key means nothing here, and is left to the browser. */
export function commandOf(key: string, keys: KeyMap, { protocol, size }: Asked): Command | null {
  const ranked = size > 2;
  const graded = !ranked && (protocol?.strength_levels ?? 0) > 0;
  if (/^[1-9]$/.test(key)) {
    if (!protocol) return null;
    const at = Number(key) - 1;
    if (ranked) return at < size ? { do: "place", place: at } : null;
    const grade = graded ? grades(protocol.strength_levels, protocol.allow_tie)[at] : undefined;
    return grade ? { do: "answer", answer: grade } : null;
  }
  if (ranked && key === "Backspace") return { do: "back" };
  const action = actionOf(key, keys);
  switch (action) {
    case null:
      return null;
    case "left":
    case "right":
      return ranked || graded ? null : { do: "answer", answer: { ranks: action === "left" ? [1, 2] : [2, 1] } };
    case "tie":
      if (!protocol?.allow_tie) return null;
      return ranked ? { do: "tied" } : { do: "answer", answer: { ranks: [1, 1] } };
    case "mark":
      return protocol?.spans ? { do: "mark" } : null;
    case "ideal":
      return protocol?.ideal_answer === "optional" ? { do: "ideal" } : null;
    case "aspects":
      return (protocol?.aspects.length ?? 0) > 0 ? { do: "aspects" } : null;
    case "comment":
      return protocol?.comment !== "off" ? { do: "comment" } : null;
    case "none":
      return protocol?.allow_none_acceptable ? { do: "answer", answer: { ranks: null } } : null;
    default:
      return { do: action };
  }
}
