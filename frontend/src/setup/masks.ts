/** Phrases that a project hides from its annotators, for the preview; the server does it for what is handed out. Pure. */

const HIDDEN = "▇▇▇";

/** Case is ignored; `*` stands for up to 40 characters: as few as needed inside of a phrase, at its ends as many as there are on the line. */
export function mask(text: string, phrases: readonly string[]): string {
  let hidden = text;
  for (const phrase of phrases) {
    const parts = phrase.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll(/\s+/g, "\\s+"));
    if (parts.every((part) => part === "")) continue;
    const [before, after] = [parts[0] === "", parts.at(-1) === ""];
    const inside = parts.filter((part) => part !== "").join("[^]{0,40}?");
    hidden = hidden.replaceAll(new RegExp(`${before ? ".{0,40}" : ""}${inside}${after ? ".{0,40}" : ""}`, "giu"), HIDDEN);
  }
  return hidden;
}
