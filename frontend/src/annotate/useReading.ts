/** How the answers are shown to this person: layout, plain or drawn, words marked, prompt folded. Says each change aloud. */
import { type RefObject, useState, useSyncExternalStore } from "react";
import { announce } from "../components/announcer";
import { i18n } from "../i18n";
import { type Layout, setPreferences, usePreferences } from "../preferences";

export const WIDE = "(min-width: 48rem)";

export function useMedia(media: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const list = window.matchMedia(media);
      list.addEventListener("change", listener);
      return () => list.removeEventListener("change", listener);
    },
    () => window.matchMedia(media).matches,
  );
}

export interface Reading {
  layout: Layout;
  wide: boolean;
  plain: boolean;
  diff: boolean;
  folded: boolean;
  setLayout: (layout: Layout) => void;
  nextLayout: () => void;
  togglePlain: () => void;
  toggleDiff: () => void;
  fold: () => void;
  scroll: (direction: 1 | -1) => void;
}

export function useReading(frame: RefObject<HTMLElement | null>): Reading {
  const preferences = usePreferences();
  const wide = useMedia(WIDE);
  const layout: Layout = !wide ? (preferences.layout === "stacked" ? "stacked" : "single") : (preferences.layout ?? "side");
  const [diff, setDiff] = useState(false);
  const [foldedByHand, setFolded] = useState<boolean | null>(null);
  // On a phone a long prompt would leave no room for the answers, so it starts folded.
  const folded = foldedByHand ?? !wide;
  const setLayout = (next: Layout) => setPreferences({ layout: next });
  return {
    layout,
    wide,
    plain: preferences.plain,
    diff,
    folded,
    setLayout,
    nextLayout: () => {
      const all: Layout[] = wide ? ["side", "stacked", "single"] : ["single", "stacked"];
      const next = all[(all.indexOf(layout) + 1) % all.length]!;
      setLayout(next);
      announce(`${i18n.t(`annotate:layout.${next}`)}.`);
    },
    togglePlain: () => {
      setPreferences({ plain: !preferences.plain });
      announce(i18n.t(preferences.plain ? "annotate:said.drawn" : "annotate:said.plain"));
    },
    toggleDiff: () => {
      setDiff(!diff);
      announce(i18n.t(diff ? "annotate:said.unmarked" : "annotate:said.marked"));
    },
    fold: () => setFolded(!folded),
    scroll: (direction) => {
      const inside = [...(frame.current?.querySelectorAll<HTMLElement>("[data-scroller]") ?? [])].filter((one) => one.offsetParent !== null && one.scrollHeight > one.clientHeight + 1);
      const targets: { scrollBy: (options: ScrollToOptions) => void }[] = inside.length > 0 ? inside : [window];
      for (const target of targets) target.scrollBy({ top: direction * 220, behavior: window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    },
  };
}
