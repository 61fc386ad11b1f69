/** The projects that an annotator can work in. `count` only chooses the plural; what is shown is `n`. */
export default {
  title: "Projects",
  lead: "Choose what you want to judge.",
  none: "No project yet",
  noneText: "An admin has to make a project before there is something to judge.",
  pair: "Which of two answers is better",
  graded: "Which of two answers is better, and by how much",
  ranking_one: "Rank {{n}} answer from the best down",
  ranking_other: "Rank {{n}} answers from the best down",
  judged_one: "{{n}} judgment so far",
  judged_other: "{{n}} judgments so far",
  state: { active: "Active", paused: "Paused", closed: "Closed", archived: "Archived" },
  stopped: "Nothing is handed out at the moment.",
} as const;
