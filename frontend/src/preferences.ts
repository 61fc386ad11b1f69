/** What this person set for this browser: language, theme, layout, keys. Lives in localStorage; every tab follows. */
import { useSyncExternalStore } from "react";
import { DEFAULT_KEYS, type Action, type KeyMap } from "./annotate/keys";

export type Layout = "side" | "stacked" | "single";

export interface Preferences {
  /** A folder of i18n; null: what the browser asks for. */
  language: string | null;
  theme: "system" | "light" | "dark";
  reading: "small" | "medium" | "large";
  layout: Layout | null;
  plain: boolean;
  singleKeys: boolean;
  keys: Partial<Record<Action, string>>;
  rail: boolean;
  project: string | null;
}

const KEY = "podium.preferences";
const DEFAULTS: Preferences = {
  language: null,
  theme: "system",
  reading: "medium",
  layout: null,
  plain: false,
  singleKeys: true,
  keys: {},
  rail: false,
  project: null,
};

function read(): Preferences {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Preferences>) };
  } catch {
    return DEFAULTS;
  }
}

let current = typeof localStorage === "undefined" ? DEFAULTS : read();
const listeners = new Set<() => void>();

const READING = { small: "0.9375rem", medium: "1rem", large: "1.1875rem" } as const;

/** Puts theme and reading size on the page; the colours themselves are in styles.css. */
export function applyPreferences(): void {
  const root = document.documentElement;
  if (current.theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = current.theme;
  root.style.setProperty("--reading", READING[current.reading]);
}

function changed(next: Preferences): void {
  current = next;
  applyPreferences();
  for (const listener of listeners) listener();
}

if (typeof window !== "undefined") {
  window.addEventListener("storage", (event) => {
    if (event.key === KEY) changed(read());
  });
}

export function getPreferences(): Preferences {
  return current;
}

export function setPreferences(change: Partial<Preferences>): void {
  const next = { ...current, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // Storage is full or off: the choice holds until the page is closed.
  }
  changed(next);
}

/** Called on every change, those made in other tabs included. */
export function onPreferences(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(onPreferences, () => current);
}

export function keyMap(preferences: Preferences): KeyMap {
  const taken = new Set(Object.values(preferences.keys));
  // A key that somebody has given to one action is no longer that of another.
  const first = Object.entries(DEFAULT_KEYS).filter(([, key]) => !taken.has(key));
  const none = Object.fromEntries(Object.keys(DEFAULT_KEYS).map((action) => [action, ""]));
  return { ...none, ...Object.fromEntries(first), ...preferences.keys } as KeyMap;
}
