/**
 * Why something is skipped or flagged. The English words are what is kept, whatever language they were chosen in: one
 * thing has one name. They stand among the English texts, too.
 */
export const REASONS = {
  skip: {
    unknown: "I do not know enough about it",
    language: "I do not read this language",
    long: "Too long",
    same: "I cannot tell them apart",
    broken: "Something is broken",
  },
  flag: {
    harmful: "Harmful or unsafe",
    personal: "Private data of a person",
    prompt: "The prompt makes no sense",
    answers: "An answer is cut off or garbled",
    other: "An admin should see this",
  },
} as const;

export type About = keyof typeof REASONS;

/** In the order of their digits. */
export function reasonsOf(about: About): { name: string; text: string }[] {
  return Object.entries(REASONS[about]).map(([name, text]) => ({ name, text }));
}
