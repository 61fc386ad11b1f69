/**
 * Judgments, skips and flags on their way to the server. Each is written to localStorage before the next comparison is
 * shown, sent in order, and removed only when the server has answered; a reload or a lost connection loses nothing.
 * The id is made here, so sending the same one twice is one judgment. Knows no React and no page.
 */
import { Problem } from "../api/client";
import type { Comparison, Judgment, NewJudgment } from "../api/types";

interface Base {
  /** The judgment's id; a skip or a flag has one of its own. */
  id: string;
  project: string;
  comparison: string;
  at: number;
  /** A sentence, once the server has refused it for good. */
  refused?: string;
}
export interface JudgmentEntry extends Base {
  what: "judgment";
  body: NewJudgment;
}
export interface SkipEntry extends Base {
  what: "skip";
  reason: string | null;
}
export interface FlagEntry extends Base {
  what: "flag";
  reason: string;
}
export type Entry = JudgmentEntry | SkipEntry | FlagEntry;

export interface Transport {
  judge(id: string, body: NewJudgment): Promise<Judgment>;
  skip(comparison: string, reason: string | null): Promise<void>;
  flag(comparison: string, reason: string): Promise<{ id: string }>;
}

/** What the server has answered. */
export interface Heard {
  judged(entry: JudgmentEntry, judgment: Judgment): void;
  flagged(entry: FlagEntry, flag: string): void;
}

const NOBODY: Heard = { judged: () => undefined, flagged: () => undefined };

export interface Snapshot {
  /** Not answered yet, oldest first. */
  waiting: Entry[];
  /** Refused for good, with the reason; kept until the person has seen it. */
  refused: Entry[];
  /** The last attempt failed in a way that passes; the next one is on its way. */
  trouble: string | null;
  /** The session has ended: nothing is sent until the person has signed in again. */
  signedOut: boolean;
  /** localStorage took it; if not, this window must stay open. */
  durable: boolean;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** What another tab has not sent for so long is sent from here: that tab may be gone. */
const ADOPT_MS = 90_000;

/** Growing pauses with some chance in them, so that many browsers do not come back at the same moment. */
export function pauseMs(attempt: number, chance: number = Math.random()): number {
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 20));
  return Math.round(pause * (0.75 + 0.5 * chance));
}

export class Outbox {
  private entries: Entry[] = [];
  private listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private sending: string | null = null;
  private attempt = 0;
  private state: Snapshot;
  private trouble: string | null = null;
  private signedOut = false;
  private durable = true;
  /** Made and sent by another tab. */
  private foreign = new Set<string>();
  private stopped = false;
  private readonly prefix: string;

  constructor(
    user: string,
    private readonly storage: Storage,
    private readonly transport: Transport,
    private readonly heard: Heard = NOBODY,
  ) {
    this.prefix = `podium.outbox.${user}.`;
    this.load();
    this.state = this.snapshot();
    this.schedule(0);
  }

  /** What is stored now, this tab's and every other's. */
  private load(): void {
    const found: Entry[] = [];
    for (let at = 0; at < this.storage.length; at++) {
      const key = this.storage.key(at);
      if (!key?.startsWith(this.prefix)) continue;
      try {
        found.push(JSON.parse(this.storage.getItem(key) ?? "") as Entry);
      } catch {
        // Not ours, or half written by a crash: there is nothing in it to send.
      }
    }
    this.entries = found.sort((one, other) => one.at - other.at);
  }

  private snapshot(): Snapshot {
    return {
      waiting: this.entries.filter((entry) => entry.refused === undefined),
      refused: this.entries.filter((entry) => entry.refused !== undefined),
      trouble: this.trouble,
      signedOut: this.signedOut,
      durable: this.durable,
    };
  }

  private changed(): void {
    this.state = this.snapshot();
    for (const listener of this.listeners) listener();
  }

  get = (): Snapshot => this.state;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** True while a judgment or a skip of this comparison is unsent: the server may still hand it out again. */
  isAnswered(comparison: string): boolean {
    return this.answered().includes(comparison);
  }

  /** All comparisons of which that is true. */
  answered(): string[] {
    return this.entries.filter((entry) => entry.what !== "flag").map((entry) => entry.comparison);
  }

  /** Another tab of this person has judged or skipped it, so nobody has to do so here. */
  doneElsewhere(comparison: string): boolean {
    return this.entries.some((entry) => entry.comparison === comparison && entry.what !== "flag" && this.foreign.has(entry.id));
  }

  /** How many comparisons of a project are judged or skipped here, but not yet on the server. */
  pending(project: string): number {
    return this.entries.filter((entry) => entry.project === project && entry.what !== "flag" && entry.refused === undefined).length;
  }

  /** Stored, but not answered. */
  isWaiting(id: string): boolean {
    return this.entries.some((entry) => entry.id === id && entry.refused === undefined);
  }

  /** Why the server did not take this one. */
  refusal(id: string): string | null {
    return this.entries.find((entry) => entry.id === id)?.refused ?? null;
  }

  /** Stores the entry, then sends it. */
  add(entry: Entry): void {
    this.entries.push(entry);
    this.store(entry);
    this.changed();
    this.schedule(0);
  }

  private store(entry: Entry): void {
    try {
      this.storage.setItem(this.prefix + entry.id, JSON.stringify(entry));
      this.durable = true;
    } catch {
      this.durable = false;
    }
  }

  /** Takes an unsent entry out again. False: it is on its way or gone, and the server must be asked instead. */
  takeBack(id: string): boolean {
    if (this.sending === id || !this.entries.some((entry) => entry.id === id)) return false;
    this.remove(id);
    return true;
  }

  /** The reason that was given after a skip is not sent when the skip itself is taken back. */
  forgetReason(comparison: string, skip: string): void {
    for (const entry of this.entries) if (entry.what === "skip" && entry.comparison === comparison && entry.id !== skip) this.takeBack(entry.id);
  }

  /** Waits until nothing about this comparison is between here and the server. */
  async settled(comparison: string): Promise<void> {
    const underWay = () => this.entries.some((entry) => entry.id === this.sending && entry.comparison === comparison);
    if (!underWay()) return;
    await new Promise<void>((resolve) => {
      const stop = this.subscribe(() => {
        if (underWay()) return;
        stop();
        resolve();
      });
    });
  }

  private remove(id: string): void {
    this.entries = this.entries.filter((entry) => entry.id !== id);
    this.foreign.delete(id);
    try {
      this.storage.removeItem(this.prefix + id);
    } catch {
      // Storage is off: the entry was never in it.
    }
    this.changed();
  }

  /** The person has read why an entry was refused. */
  dismiss(id: string): void {
    this.remove(id);
  }

  /** Another tab has stored an entry, or why it was refused. That tab sends it; this one only if it never does. */
  addedElsewhere(key: string, value: string): void {
    if (!key.startsWith(this.prefix)) return;
    let entry: Entry;
    try {
      entry = JSON.parse(value) as Entry;
    } catch {
      return;
    }
    const known = this.entries.some((one) => one.id === entry.id);
    this.entries = [...this.entries.filter((one) => one.id !== entry.id), entry].sort((one, other) => one.at - other.at);
    if (!known) this.foreign.add(entry.id);
    this.changed();
    if (this.timer === null) this.schedule(ADOPT_MS);
  }

  /** Another tab has sent and removed this one. */
  goneElsewhere(key: string): void {
    if (!key.startsWith(this.prefix)) return;
    const id = key.slice(this.prefix.length);
    if (this.sending === id || !this.entries.some((entry) => entry.id === id)) return;
    this.entries = this.entries.filter((entry) => entry.id !== id);
    this.foreign.delete(id);
    this.changed();
  }

  /** Tries at once: the connection is back, or the person signed in or asked for it. */
  retry = (): void => {
    this.signedOut = false;
    this.attempt = 0;
    this.schedule(0);
  };

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private schedule(delay: number): void {
    if (this.stopped) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.pump(), delay);
  }

  private async pump(): Promise<void> {
    this.timer = null;
    if (this.sending !== null || this.signedOut || this.stopped) return;
    const due = (one: Entry) => !this.foreign.has(one.id) || Date.now() - one.at > ADOPT_MS;
    const entry = this.entries.find((one) => one.refused === undefined && due(one));
    if (!entry) {
      if (this.foreign.size > 0) this.schedule(ADOPT_MS);
      return;
    }
    this.sending = entry.id;
    let tell = () => undefined as void;
    let pause = 0;
    try {
      tell = await this.send(entry);
      this.attempt = 0;
      this.trouble = null;
      this.sending = null;
      this.remove(entry.id);
    } catch (error) {
      this.sending = null;
      pause = this.failed(entry, error);
      this.changed();
    }
    tell();
    this.schedule(pause);
  }

  /** Gives what is to be told of the answer once the entry is removed. */
  private async send(entry: Entry): Promise<() => void> {
    switch (entry.what) {
      case "judgment": {
        const judgment = await this.transport.judge(entry.id, entry.body);
        return () => this.heard.judged(entry, judgment);
      }
      case "flag": {
        const { id } = await this.transport.flag(entry.comparison, entry.reason);
        return () => this.heard.flagged(entry, id);
      }
      case "skip":
        await this.transport.skip(entry.comparison, entry.reason);
        return () => undefined;
    }
  }

  /** Notes the failure; gives the pause before the next attempt. */
  private failed(entry: Entry, error: unknown): number {
    const problem = error instanceof Problem ? error : new Problem(0, String(error));
    this.trouble = null;
    if (problem.status === 401) {
      this.signedOut = true;
      return 0;
    }
    if (problem.passing) {
      this.trouble = problem.message;
      return pauseMs(this.attempt++);
    }
    this.attempt = 0;
    if (entry.what === "skip") {
      this.remove(entry.id); // A skip that is refused has happened already, or the lease is over: the same to everybody.
      return 0;
    }
    entry.refused = problem.message;
    this.store(entry);
    return 0;
  }
}

export function judgmentEntry(project: string, comparison: Comparison, body: NewJudgment, id: string, at: number): JudgmentEntry {
  return { what: "judgment", id, project, comparison: comparison.id, body, at };
}
