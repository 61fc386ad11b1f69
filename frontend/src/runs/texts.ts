/** What is said of the texts of a run, and how they stand. Pure. */
import type { Sample } from "../api/types";
import { valueOf } from "./meanings";

/** Whether they are several answers to one prompt: those belong side by side. */
export function together(samples: readonly Sample[]): boolean {
  const first = JSON.stringify(samples[0]?.prompt);
  return samples.length > 1 && samples.every((one) => JSON.stringify(one.prompt) === first);
}

/** Where several models answer, a completion begins with the name of its own. */
export function parted(completion: string, models: readonly string[]): [model: string | null, text: string] {
  const model = models.find((one) => completion.startsWith(`${one}: `));
  return model === undefined ? [null, completion] : [model, completion.slice(model.length + 2)];
}

const NAMES: Readonly<Record<string, string>> = {
  score: "score",
  score_used: "score as used",
  kl: "KL, nats",
  length: "tokens",
  tokens: "tokens",
};

/** What is said of a text: name and value. */
export function saidOf(values: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(values)
    .filter(([name, value]) => !(name === "score_used" && value === values["score"]))
    .toSorted(([one], [other]) => Number(other === "score") - Number(one === "score"))
    .map(([name, value]) => {
      if (name === "ended") return ["end", value === 1 ? "of its own" : "cut off"];
      return [NAMES[name] ?? name.replaceAll("_", " "), typeof value === "number" ? valueOf(name, value) : String(value ?? "–")];
    });
}
