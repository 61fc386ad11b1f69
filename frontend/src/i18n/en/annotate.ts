/** The page where people judge. */
export default {
  /** What a key does; the same words on the sheet of keys and in the preferences. */
  action: {
    left: "Left (A) is better",
    right: "Right (B) is better",
    tie: "Tie",
    none: "None is acceptable",
    skip: "Skip",
    undo: "Undo the last one",
    layout: "Change the layout",
    flip: "Show the other answer (one at a time)",
    diff: "Mark the words that differ",
    plain: "Plain text instead of Markdown",
    prompt: "Fold or unfold the prompt",
    comment: "Write a comment",
    guidelines: "Show the guidelines",
    down: "Scroll both answers down",
    up: "Scroll both answers up",
    help: "Show all keys",
  },
  space: "Space",
} as const;
