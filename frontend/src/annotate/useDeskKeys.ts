/** Keys at the desk: the usual ones, and those of the moments when keys mean something else (aspects, choosing words, feedback). */
import { useEffect, useState } from "react";
import type { Protocol } from "../api/types";
import { type AspectStep, aspectRanks, aspectStep, choiceOf } from "./aspects";
import { commandOf, type Command, judges } from "./commands";
import { keyName, type KeyMap } from "./keys";
import type { View } from "./queue";
import type { Desk } from "./useDesk";
import { useKeys } from "./useKeys";
import type { Reading } from "./useReading";
import type { Remarks } from "./useRemarks";

/** What is open over the page or over the bar. */
export type Panel = "keys" | "guidelines" | "welcome" | "skip" | "flag" | "ideal";

interface KeysOptions {
  keys: KeyMap;
  on: boolean;
  protocol: Protocol | null;
  size: number;
  desk: Desk;
  reading: Reading;
  remarks: Remarks;
  view: View;
  onPanel: (panel: Panel) => void;
  goOn: () => void;
}

export interface DeskKeys {
  /** The aspect that the keyboard answers now. */
  aspect: number | null;
  setAspect: (at: number | null) => void;
}

export function useDeskKeys({ keys, on, protocol, size, desk, reading, remarks, view, onPanel, goOn }: KeysOptions): DeskKeys {
  const { draft } = desk;
  const [aspect, setAspect] = useState<number | null>(null);
  const currentId = view.comparisons[0]?.id;
  useEffect(() => setAspect(null), [currentId]);

  const obey = (command: Command, shift: boolean) => {
    switch (command.do) {
      case "answer":
        return desk.answer(command.answer);
      case "place":
        return desk.place(command.place);
      case "tied":
        return desk.tied();
      case "back":
        return desk.back();
      case "skip":
        return shift ? onPanel("skip") : desk.skip();
      case "flag":
      case "ideal":
        return onPanel(command.do);
      case "mark":
        return remarks.mark();
      case "aspects":
        return setAspect(0);
      case "undo":
        return desk.undo();
      case "layout":
        return reading.nextLayout();
      case "flip":
        return reading.layout === "single" ? desk.change({ front: (draft.front + 1) % size }) : undefined;
      case "diff":
        return reading.toggleDiff();
      case "plain":
        return reading.togglePlain();
      case "prompt":
        return reading.fold();
      case "comment":
        return desk.comment.current?.focus();
      case "guidelines":
        return onPanel("guidelines");
      case "down":
      case "up":
        return reading.scroll(command.do === "down" ? 1 : -1);
      case "help":
        return onPanel("keys");
    }
  };

  const answerAspect = (at: number, step: AspectStep) => {
    const asked = protocol?.aspects ?? [];
    const name = asked[at]?.name;
    if (name === undefined || "leave" in step) return setAspect(null);
    if ("clear" in step) {
      const { [name]: _, ...others } = draft.aspects;
      return desk.change({ aspects: others });
    }
    if ("choice" in step && choiceOf(draft.aspects[name]) !== step.choice) desk.change({ aspects: { ...draft.aspects, [name]: aspectRanks(step.choice, size) } });
    const next = at + ("by" in step ? step.by : 1);
    setAspect(next < 0 || next >= asked.length ? null : next);
  };

  /** Moments in which keys mean something else; they work with single keys switched off, too. */
  const first = (event: KeyboardEvent): boolean => {
    if (view.practised) {
      if (event.key !== "Enter" || view.practised.feedback === null || event.target instanceof HTMLButtonElement) return false;
      goOn();
      return true;
    }
    if (remarks.pick(event)) return true;
    if (aspect === null || event.ctrlKey || event.metaKey || event.altKey) return false;
    const step = aspectStep(keyName(event.key), event.shiftKey, size, keys);
    if (step) answerAspect(aspect, step);
    return step !== null;
  };

  const press = (key: string, event: KeyboardEvent): boolean => {
    if (key === "Enter") {
      if (size === 2 || draft.order.length === 0 || event.target instanceof HTMLButtonElement) return false;
      desk.restEqual();
      return true;
    }
    const command = commandOf(key, keys, { protocol, size });
    if (command === null) return false;
    // While what was right is shown, there is nothing to judge; reading and undoing go on.
    if (view.practised && (judges(command) || command.do === "flag")) return true;
    if (!judges(command) || desk.isReady()) obey(command, event.shiftKey);
    return true;
  };

  useKeys({ keys, on, first, press });
  return { aspect, setAspect };
}
