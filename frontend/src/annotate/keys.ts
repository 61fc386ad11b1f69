/** Which key does what on the annotate page. Pure: knows no page and no storage. */
import { i18n } from "../i18n";

/** What keys do; how each is called stands in the texts, `annotate:action`. */
export const DEFAULT_KEYS = {
  left: "a",
  right: "b",
  tie: "t",
  none: "n",
  skip: "s",
  undo: "z",
  flag: "f",
  comment: "c",
  aspects: "r",
  ideal: "e",
  mark: "m",
  layout: "v",
  flip: "x",
  diff: "d",
  plain: "p",
  prompt: "o",
  guidelines: "g",
  down: "j",
  up: "k",
  help: "?",
} as const satisfies Record<string, string>;

export type Action = keyof typeof DEFAULT_KEYS;
export type KeyMap = Readonly<Record<Action, string>>;
export const ACTIONS = Object.keys(DEFAULT_KEYS) as readonly Action[];

/** Digits rank or grade, Enter and Backspace finish and take back: these cannot be given to something else. */
const FIXED = /^(?:\d|Enter|Backspace|Escape|Tab)$/;

export interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  repeat: boolean;
}

/** The key as it is stored and compared: letters without case, everything else as the browser names it. */
export function keyName(key: string): string {
  return key.length === 1 ? key.toLowerCase() : key;
}

/** A plain single key, or null: held-down repeats and chords belong to somebody else. */
export function plainKey(press: Press): string | null {
  if (press.ctrlKey || press.metaKey || press.altKey || press.repeat) return null;
  return keyName(press.key);
}

export function actionOf(key: string, keys: KeyMap): Action | null {
  for (const [action, bound] of Object.entries(keys)) if (bound === key) return action as Action;
  return null;
}

/** Why `key` cannot be given to `action`: it has a fixed meaning, or the action that holds it; null if it can. */
export function whyNot(key: string, action: Action, keys: KeyMap): "fixed" | Action | null {
  if (FIXED.test(key)) return "fixed";
  const holder = actionOf(key, keys);
  return holder === action ? null : holder;
}

const LABELS: Record<string, string> = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };

export function keyLabel(key: string): string {
  return LABELS[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}

/** True while the person writes or chooses: no single key may fire then. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

export interface Grade {
  ranks: number[];
  strength: number | null;
  /** How much, in one word; "tie" in the middle. */
  word: string;
  label: string;
}

const WORDS = {
  2: ["slightly", "much"],
  3: ["slightly", "clearly", "much"],
  4: ["slightly", "clearly", "much", "far"],
} as const;

/** The answers of a graded pair, in the order of their digits: A much better … tie … B much better. */
export function grades(levels: number, allowTie: boolean): Grade[] {
  const strengths = Array.from({ length: levels }, (_, i) => i + 1);
  const words = WORDS[levels as keyof typeof WORDS];
  const side = (name: string, ranks: number[], strength: number): Grade => {
    const word = i18n.t(`annotate:grade.${words[strength - 1]!}`);
    return { ranks, strength, word, label: i18n.t("annotate:grade.better", { name, word }) };
  };
  return [
    ...strengths.toReversed().map((strength) => side("A", [1, 2], strength)),
    ...(allowTie ? [{ ranks: [1, 1], strength: null, word: i18n.t("annotate:grade.tie"), label: i18n.t("common:verdict.tie") }] : []),
    ...strengths.map((strength) => side("B", [2, 1], strength)),
  ];
}
