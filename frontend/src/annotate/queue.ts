/**
 * The comparisons in front of one annotator: leased a few ahead, so that the next one is there at once; renewed while
 * the page is open and used; given back when it is left; and the way back (undo). Knows no React.
 */
import { Problem } from "../api/client";
import type { Comparison, NewJudgment } from "../api/types";
import { type Desk, ONLY_DESK } from "./desks";
import { type Entry, judgmentEntry, type Outbox } from "./outbox";

export interface Server {
  /** Fills up to `count`, with those that are on lease already (the unsent ones too) among them. */
  next(count: number): Promise<Comparison[]>;
  renew(lease: string): Promise<{ expires_at: string }>;
  giveBack(lease: string): void;
  /** Null: it is taken back, but the comparison belongs to this person no longer. */
  takeBack(judgment: string): Promise<Comparison | null>;
  /** The newest judgment of this person in this project, if there is one. */
  latest(): Promise<string | null>;
}

export interface View {
  /** The first one is on the screen. */
  comparisons: readonly Comparison[];
  status: "loading" | "ready" | "empty" | "failed";
  problem: Problem | null;
  /** The lease of the comparison on the screen has ended. */
  late: boolean;
  /** What was done last here, for the line beside the undo button. */
  last: Entry | null;
  undoing: boolean;
}

/** So many can be judged without a network. */
const AHEAD = 10;
const MOST = 20;
const HISTORY = 50;
const SKIP_HOLD_MS = 60_000;
const RENEW_CHECK_MS = 20_000;
const EMPTY_RETRY_MS = 20_000;
const FAILED_RETRY_MS = 8_000;
/** Nobody has touched the page for so long: the leases may go to others. */
const AWAY_MS = 20 * 60_000;

interface Done {
  entry: Entry;
  comparison: Comparison;
}

export class Queue {
  private items: Comparison[] = [];
  private history: Done[] = [];
  private renewAt = new Map<string, number>();
  private late = new Set<string>();
  private asking = false;
  private started = false;
  private lastSign = Date.now();
  private retry: ReturnType<typeof setTimeout> | null = null;
  private renewal: ReturnType<typeof setInterval> | null = null;
  private stopFollowing: () => void = () => undefined;
  private listeners = new Set<() => void>();
  private status: View["status"] = "loading";
  private problem: Problem | null = null;
  private undoing = false;
  private undos: Promise<unknown> = Promise.resolve();
  private view: View;
  /** Written before an undo brings a comparison back: by comparison. */
  readonly earlier = new Map<string, NewJudgment>();

  constructor(
    private readonly project: string,
    private readonly server: Server,
    private readonly outbox: Outbox,
    private readonly desk: Desk = ONLY_DESK,
    private readonly now: () => number = Date.now,
  ) {
    this.view = this.look();
  }

  private look(): View {
    const first = this.items[0];
    return {
      comparisons: this.items,
      status: first ? "ready" : this.status,
      problem: this.problem,
      late: first !== undefined && this.late.has(first.id),
      last: this.history.at(-1)?.entry ?? null,
      undoing: this.undoing,
    };
  }

  private changed(): void {
    this.view = this.look();
    for (const listener of this.listeners) listener();
  }

  get = (): View => this.view;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  start(): void {
    if (this.started) return;
    this.started = true;
    this.lastSign = this.now();
    this.desk.sign();
    this.stopFollowing = this.outbox.subscribe(() => this.follow());
    this.renewal = setInterval(() => void this.renew(), RENEW_CHECK_MS);
    void this.fill();
  }

  /** Gives every lease back. The page may come back to life (browser's back button): `start` again then. */
  leave(): void {
    if (!this.started) return;
    this.started = false;
    if (this.renewal !== null) clearInterval(this.renewal);
    if (this.retry !== null) clearTimeout(this.retry);
    this.stopFollowing();
    if (this.desk.leave()) for (const item of this.items) this.server.giveBack(item.lease.id);
    this.items = [];
    this.status = "loading";
    this.outbox.release();
    this.changed();
  }

  /** The person does something: the leases stay. */
  sign(): void {
    const away = this.now() - this.lastSign > AWAY_MS;
    this.lastSign = this.now();
    if (away) void this.renew();
  }

  /** What was judged or skipped in another tab need not be looked at here. */
  private follow(): void {
    const left = this.items.filter((item) => !this.outbox.doneElsewhere(item.id));
    if (left.length === this.items.length) return;
    this.items = left;
    if (this.items.length === 0) this.status = "loading";
    this.changed();
    void this.fill();
  }

  async fill(): Promise<void> {
    if (!this.started || this.asking || this.items.length >= AHEAD) return;
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.asking = true;
    let pause: number | null = null;
    try {
      const found = await this.server.next(Math.min(MOST, AHEAD + this.outbox.pending(this.project)));
      this.problem = null;
      if (!this.started) {
        for (const item of found) this.server.giveBack(item.lease.id);
        return;
      }
      const fresh = found.filter((item) => !this.outbox.has(item.id) && this.items.every((one) => one.id !== item.id));
      for (const item of fresh) this.leased(item);
      this.items = [...this.items, ...fresh];
      if (this.items.length === 0) this.status = "empty";
      if (this.items.length < AHEAD) pause = EMPTY_RETRY_MS;
    } catch (error) {
      this.problem = error instanceof Problem ? error : new Problem(0, String(error));
      if (this.items.length === 0) this.status = "failed";
      if (this.problem.passing) pause = FAILED_RETRY_MS;
    } finally {
      this.asking = false;
      this.changed();
    }
    if (pause !== null && this.started) this.retry = setTimeout(() => void this.fill(), pause);
  }

  /** Half of the lease from now, by this clock alone: the server's clock may differ from the browser's. */
  private leased(item: Comparison): void {
    const length = Date.parse(item.lease.expires_at) - this.now();
    const sane = length > 10_000 && length < 86_400_000;
    this.renewAt.set(item.id, this.now() + (sane ? length / 2 : RENEW_CHECK_MS));
    this.late.delete(item.id);
  }

  private async renew(): Promise<void> {
    this.desk.sign();
    if (!this.started || this.now() - this.lastSign > AWAY_MS) return;
    for (const item of this.items) {
      if ((this.renewAt.get(item.id) ?? 0) > this.now()) continue;
      try {
        const lease = await this.server.renew(item.lease.id);
        item.lease.expires_at = lease.expires_at;
        this.leased(item);
      } catch (error) {
        if (error instanceof Problem && [404, 409, 410].includes(error.status)) this.lost(item);
      }
    }
  }

  /** The lease went to somebody else. What is on the screen stays there: its judgment is still worth sending. */
  private lost(item: Comparison): void {
    if (this.items[0] === item) {
      this.late.add(item.id);
      this.renewAt.set(item.id, Infinity);
    } else {
      this.items = this.items.filter((one) => one !== item);
    }
    this.changed();
    void this.fill();
  }

  judge(body: Omit<NewJudgment, "comparison" | "lease">): void {
    const comparison = this.items[0];
    if (!comparison) return;
    const full: NewJudgment = { ...body, comparison: comparison.id, lease: comparison.lease.id };
    this.advance(judgmentEntry(this.project, comparison, full, crypto.randomUUID(), this.now()), comparison);
  }

  skip(reason: string | null): void {
    const comparison = this.items[0];
    if (!comparison) return;
    const entry: Entry = { what: "skip", id: crypto.randomUUID(), project: this.project, comparison: comparison.id, reason, at: this.now() };
    this.advance(entry, comparison, SKIP_HOLD_MS);
  }

  /** First stored, then shown: the order is the promise that no judgment is lost. */
  private advance(entry: Entry, comparison: Comparison, hold = 0): void {
    this.sign();
    this.outbox.add(entry, hold);
    this.history = [...this.history.slice(1 - HISTORY), { entry, comparison }];
    this.items = this.items.slice(1);
    if (this.items.length === 0) this.status = "loading";
    this.changed();
    void this.fill();
  }

  /** Brings the last comparison back. Gives a sentence if that cannot be. Several in a row are done one by one. */
  undo(): Promise<string | null> {
    this.sign();
    const next = this.undos.then(() => this.undoLast());
    this.undos = next;
    return next;
  }

  private async undoLast(): Promise<string | null> {
    const last = this.history.at(-1);
    if (last && this.outbox.takeBack(last.entry.id)) {
      this.back(last.entry, last.comparison);
      return null;
    }
    this.undoing = true;
    this.changed();
    try {
      if (last) {
        await this.outbox.settled(last.entry.id);
        if (this.outbox.takeBack(last.entry.id)) this.back(last.entry, last.comparison);
        else if (last.entry.what === "skip") {
          this.history = this.history.slice(0, -1);
          return "That skip has reached the server and cannot be taken back.";
        } else return this.returned(last.entry, await this.server.takeBack(last.entry.id));
        return null;
      }
      const latest = await this.server.latest();
      if (latest === null) return "There is nothing to undo.";
      return this.returned(null, await this.server.takeBack(latest));
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(0, String(error));
      if (!problem.passing) this.history = this.history.slice(0, -1);
      return problem.status === 0 ? "Undo needs the server, which cannot be reached just now." : problem.message;
    } finally {
      this.undoing = false;
      this.changed();
    }
  }

  private returned(entry: Entry | null, comparison: Comparison | null): string | null {
    if (comparison && !this.started) {
      this.server.giveBack(comparison.lease.id); // The page was left while the answer was on its way.
      return null;
    }
    if (comparison) {
      this.back(entry, comparison);
      return null;
    }
    if (entry) this.history = this.history.filter((done) => done.entry !== entry);
    return "The judgment is taken back, but its comparison has gone to somebody else.";
  }

  private back(entry: Entry | null, comparison: Comparison): void {
    if (entry) this.history = this.history.filter((done) => done.entry !== entry);
    if (entry?.what === "judgment") this.earlier.set(comparison.id, entry.body);
    this.leased(comparison);
    this.items = [comparison, ...this.items.filter((one) => one.id !== comparison.id)];
    this.changed();
  }
}
