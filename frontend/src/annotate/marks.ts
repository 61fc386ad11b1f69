/** Paints parts of the page with the CSS Custom Highlight API: the page itself is not touched. Browsers without it paint nothing. */

interface Painted {
  ranges: Range[];
  /** The one that is pointed at in the list of remarks. */
  here: Range | null;
}

/** The build's CSS checker does not know these pseudo-elements yet, so their rules are made here. */
const RULES = `
::highlight(remark) { background-color: var(--color-mark); color: var(--color-ink); text-decoration: underline 2px var(--color-warn); }
::highlight(remark-here) { background-color: var(--color-accent); color: var(--color-on-accent); }
`;
let ruled = false;

const panes = new Map<Element, Painted>();

function paint(): void {
  if (typeof CSS === "undefined" || !("highlights" in CSS)) return;
  if (!ruled) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(RULES);
    document.adoptedStyleSheets.push(sheet);
    ruled = true;
  }
  const all = [...panes.values()];
  CSS.highlights.set("remark", new Highlight(...all.flatMap((one) => one.ranges)));
  CSS.highlights.set("remark-here", new Highlight(...all.flatMap((one) => (one.here ? [one.here] : []))));
}

export function paintMarks(pane: Element, ranges: Range[], here: Range | null): void {
  if (ranges.length === 0 && here === null) {
    if (!panes.delete(pane)) return;
  } else panes.set(pane, { ranges, here });
  paint();
}

export function wipeMarks(pane: Element): void {
  if (panes.delete(pane)) paint();
}
