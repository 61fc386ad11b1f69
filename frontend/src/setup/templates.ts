/** Where a new project can begin: four studies that work as they are. */
import type { Protocol } from "../api/types";
import type { Draft } from "./draft";

export interface Template {
  key: string;
  name: string;
  /** What it is good for, and what one judgment costs. */
  use: string;
  draft: Omit<Draft, "name">;
}

const GUIDELINES = `Choose the answer that you would **rather receive**.

1. Is it true?
2. Does it do what was asked?
3. Is it clear, and no longer than it has to be?

A longer answer is not a better one. When both are equally good, say so.`;

const RANKING = `Put the answers in order, **best first**.

1. Is it true?
2. Does it do what was asked?
3. Is it clear, and no longer than it has to be?

Answers that are equally good share a place.`;

const REVIEW = `Read both answers to the end before you decide.

1. Choose the better one, and say how much better it is.
2. Answer the questions on each aspect on their own: the clearer answer need not be the truer one.
3. Mark what is false or misleading, and say why in one sentence.
4. Where neither is good, write the answer that should have been given.`;

const PAIR: Protocol = { size: 2, top: null, allow_tie: true, allow_none_acceptable: true, strength_levels: 0, aspects: [], comment: "off", ideal_answer: "off", spans: false };

const HANDING = {
  overlap: "1",
  lease_minutes: "15",
  gold_share: "0",
  repeat_share: "5",
  random_share: "10",
  qualification_share: "80",
  target_error: "",
  skips_to_retire: "3",
  masks: "",
  people_ranking: false,
};

export const TEMPLATES: readonly Template[] = [
  {
    key: "pair",
    name: "Plain pair",
    use: "Which of two is better? One key, the fastest way to many judgments.",
    draft: { ...HANDING, guidelines: GUIDELINES, protocol: PAIR },
  },
  {
    key: "graded",
    name: "Graded pair",
    use: "Which is better, and how much? Still one key; the degree tells sure from unsure.",
    draft: { ...HANDING, guidelines: GUIDELINES, overlap: "2", protocol: { ...PAIR, strength_levels: 3, comment: "optional" } },
  },
  {
    key: "rank",
    name: "Rank four",
    use: "Four answers in order: six outcomes from one reading of the prompt.",
    draft: { ...HANDING, guidelines: RANKING, protocol: { ...PAIR, size: 4 } },
  },
  {
    key: "review",
    name: "Detailed review",
    use: "Degree, aspects, remarks on passages, an ideal answer: minutes, not seconds, and worth them.",
    draft: {
      ...HANDING,
      guidelines: REVIEW,
      overlap: "2",
      lease_minutes: "45",
      protocol: {
        ...PAIR,
        strength_levels: 4,
        comment: "required",
        ideal_answer: "optional",
        spans: true,
        aspects: [
          { name: "Truthful", definition: "Which answer makes fewer false or misleading statements?" },
          { name: "Helpful", definition: "Which answer does more of what was asked?" },
          { name: "Clear", definition: "Which answer is easier to follow?" },
        ],
      },
    },
  },
];

/** The draft with this template; guidelines that somebody wrote stay. */
export function begin(draft: Draft, template: Template): Draft {
  const written = draft.guidelines.trim() !== "" && !TEMPLATES.some((one) => one.draft.guidelines === draft.guidelines);
  return { ...template.draft, name: draft.name, guidelines: written ? draft.guidelines : template.draft.guidelines };
}
