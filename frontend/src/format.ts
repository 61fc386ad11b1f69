/**
 * Numbers, times and states in words. Dates appear in the reader's own time zone and order, in the language of the
 * pages; what only admins read is English.
 */
import type { Run } from "./api/types";
import { i18n, locale } from "./i18n";

/** Making a formatter takes longer than all that it ever formats, so each is kept, by language. */
function perLanguage<T>(make: (locale: string) => T): () => T {
  const made = new Map<string, T>();
  return () => {
    const tag = locale();
    let one = made.get(tag);
    if (one === undefined) made.set(tag, (one = make(tag)));
    return one;
  };
}

const whole = perLanguage((tag) => new Intl.NumberFormat(tag, { maximumFractionDigits: 0 }));
const relative = perLanguage((tag) => new Intl.RelativeTimeFormat(tag, { numeric: "auto" }));
const days = perLanguage((tag) => new Intl.DateTimeFormat(tag, { year: "numeric", month: "short", day: "numeric" }));
const moments = perLanguage((tag) => new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "medium" }));
const clocks = perLanguage((tag) => new Intl.DateTimeFormat(tag, { hour: "2-digit", minute: "2-digit", second: "2-digit" }));

export function count(value: number): string {
  return whole().format(value);
}

export function plural(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function percent(share: number, digits = 0): string {
  return share.toLocaleString(locale(), { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Four significant figures, without noise: 0.0123, 12.3, 1,234, 1.2e-7. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential(2);
  if (size >= 1000) return count(value);
  return String(Number(value.toPrecision(4)));
}

export function signed(value: number, digits = 2): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return value < 0 ? `−${text}` : `+${text}`;
}

export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

type Unit = "seconds" | "minutes" | "hours" | "days";

/** 45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const one = (n: number, unit: Unit): string => i18n.t(`common:duration.${unit}`, { n: count(n) });
  const pair = (big: number, bigUnit: Unit, small: number, smallUnit: Unit): string =>
    small === 0 ? one(big, bigUnit) : i18n.t("common:duration.two", { big: one(big, bigUnit), small: one(small, smallUnit) });
  if (s < 60) return one(s, "seconds");
  if (s < 3600) return pair(Math.floor(s / 60), "minutes", s % 60, "seconds");
  const minutes = Math.round(s / 60);
  if (minutes < 1440) return pair(Math.floor(minutes / 60), "hours", minutes % 60, "minutes");
  return pair(Math.floor(s / 86400), "days", Math.floor((s % 86400) / 3600), "hours");
}

/** An estimate should not look more exact than it is. */
export function timeLeft(seconds: number): string {
  const s = Math.max(0, seconds);
  if (s < 10) return "a few seconds left";
  if (s < 90) return `about ${Math.round(s / 10) * 10} s left`;
  if (s < 5400) return `about ${Math.round(s / 60)} min left`;
  if (s < 172800) return `about ${Math.round(s / 3600)} h left`;
  return `about ${Math.round(s / 86400)} days left`;
}

export function ago(time: Date, now: Date): string {
  const s = (time.getTime() - now.getTime()) / 1000;
  const size = Math.abs(s);
  if (size < 45) return i18n.t("common:justNow");
  if (size < 2700) return relative().format(Math.round(s / 60), "minute");
  if (size < 72000) return relative().format(Math.round(s / 3600), "hour");
  if (size < 2592000) return relative().format(Math.round(s / 86400), "day");
  return day(time);
}

export function day(time: Date): string {
  return days().format(time);
}

export function moment(time: Date): string {
  return moments().format(time);
}

export function clock(time: Date): string {
  return clocks().format(time);
}

const UNITS: Record<string, string> = {
  s: "s", ms: "ms", min: "min", minutes: "min", hours: "h",
  nats: "nats", bits: "bits", tokens: "tokens", bytes: "bytes", mb: "MB", gb: "GB", mib: "MiB", gib: "GiB",
  steps: "steps", epochs: "epochs", share: "share", fraction: "share", percent: "%",
};
const KEEP = new Map([["kl", "KL"], ["lora", "LoRA"], ["ppo", "PPO"], ["gae", "GAE"], ["sft", "SFT"], ["lr", "learning rate"], ["id", "id"], ["eos", "EOS"], ["topp", "top-p"]]);

/** What is counted reads as part of the name (“max new tokens”), except after “every”. */
const COUNTED = new Set(["tokens", "steps", "epochs"]);

/** `kl_target_per_seq_nats` → ["KL target per seq", "nats"]: names carry their units at the end. */
export function fieldName(name: string): [label: string, unit: string | null] {
  const parts = name.split("_");
  const [before, last] = parts.slice(-2);
  const spoken = before === "per" || (COUNTED.has(last!) && before !== "every");
  const unit = parts.length > 1 && !spoken ? (UNITS[last!] ?? null) : null;
  const kept = unit === null ? parts : parts.slice(0, -1);
  const label = kept.map((part) => KEEP.get(part) ?? part).join(" ");
  return [label.charAt(0).toUpperCase() + label.slice(1), unit];
}

/** What a judgment said, in words. */
export function verdict(ranks: readonly number[] | null | undefined, noneAcceptable: boolean): string {
  if (noneAcceptable || !ranks) return i18n.t("common:verdict.none");
  if (ranks.length === 2) {
    const [left, right] = ranks as [number, number];
    return i18n.t(`common:verdict.${left === right ? "tie" : left < right ? "left" : "right"}`);
  }
  const groups = new Map<number, number[]>();
  ranks.forEach((rank, at) => groups.set(rank, [...(groups.get(rank) ?? []), at + 1]));
  return [...groups.keys()].sort((a, b) => a - b).map((rank) => groups.get(rank)!.join(" = ")).join(" > ");
}

export const KIND_NAMES: Record<string, string> = {
  pretrain: "Pretraining",
  sft: "Supervised fine-tuning",
  sample: "Sampling",
  reward_model: "Reward model",
  ppo: "PPO",
  evaluate: "Evaluation",
};

/** The state of a run in one sentence. */
export function runSentence(run: Run): string {
  const at = run.progress;
  const step = at ? (at.total === null || at.total === undefined ? `step ${count(at.step)}` : `step ${count(at.step)} of ${count(at.total)}`) : null;
  switch (run.state) {
    case "queued":
      return run.attempt > 0 ? "Waiting for a worker to take it up again." : "Waiting for a free worker.";
    case "running": {
      if (run.cancel_requested) return "Stopping: the trainer saves its state first.";
      if (!at || !step) return "Starting: the worker loads models and data.";
      if (!at.step && !at.total && at.phase) return `Starting: ${at.phase.replaceAll("_", " ")}.`;
      return `Running, ${step}${at.phase ? ` (${at.phase.replaceAll("_", " ")})` : ""}.`;
    }
    case "succeeded":
      return run.started_at && run.finished_at
        ? `Done in ${duration((Date.parse(run.finished_at) - Date.parse(run.started_at)) / 1000)}.`
        : "Done.";
    case "failed":
      return step ? `Failed at ${step}.` : "Failed before the first step.";
    case "cancelled":
      return run.message ?? (step ? `Cancelled at ${step}.` : "Cancelled before it began.");
  }
}
