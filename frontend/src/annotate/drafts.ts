/** Comments being written, kept by comparison so that neither a skip nor a reload loses a sentence. */

const PREFIX = "podium.draft.";

export function readDraft(comparison: string): string {
  try {
    return localStorage.getItem(PREFIX + comparison) ?? "";
  } catch {
    return "";
  }
}

export function writeDraft(comparison: string, text: string): void {
  try {
    if (text) localStorage.setItem(PREFIX + comparison, text);
    else localStorage.removeItem(PREFIX + comparison);
  } catch {
    // Storage is off: the draft lives as long as the page.
  }
}
