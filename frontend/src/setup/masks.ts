/** Phrases that a project hides from its annotators, for the preview; the server does it for what is handed out. Pure. */

const HIDDEN = "▇▇▇";

/** Case is ignored; `*` stands for up to 40 characters. */
export function mask(text: string, phrases: readonly string[]): string {
  let hidden = text;
  for (const phrase of phrases) {
    const parts = phrase.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const pattern = parts.join("[\\s\\S]{0,40}?");
    if (parts.some((part) => part !== "")) hidden = hidden.replaceAll(new RegExp(pattern, "giu"), HIDDEN);
  }
  return hidden;
}
