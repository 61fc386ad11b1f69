/**
 * The comparisons in front of one annotator: leased a few ahead, so that the next one is there at once; renewed while
 * the page is open and used; given back when it is left; and the way back (undo). Knows no React.
 */
import { Problem } from "../api/client";
import type { Comparison, Feedback, Judgment, NewJudgment, Stage } from "../api/types";
import { i18n } from "../i18n";
import { type Desk, ONLY_DESK } from "./desks";
import type { History, Past, PastFlag } from "./history";
import { Leases, RENEW_CHECK_MS } from "./leases";
import { type Entry, judgmentEntry, type Outbox } from "./outbox";

export interface Server {
  /** Fills up to `count`, with those that are on lease already (the unsent ones too) among them. */
  next(count: number): Promise<{ items: Comparison[]; stage: Stage | null }>;
  renew(lease: string): Promise<{ expires_at: string }>;
  giveBack(lease: string): void;
  /** Null: it is taken back, but the comparison belongs to this person no longer. */
  takeBack(judgment: string): Promise<Comparison | null>;
  unskip(comparison: string): Promise<Comparison | null>;
  unflag(flag: string): Promise<void>;
  /** The newest judgment of this person in this project, if there is one. */
  latest(): Promise<string | null>;
}

export interface View {
  /** The first one is on the screen. */
  comparisons: readonly Comparison[];
  status: "loading" | "ready" | "empty" | "failed";
  problem: Problem | null;
  /** Practice and qualification come before the work; `done` counts what is said here but not yet sent. */
  stage: Stage | null;
  /** A practice answer is given; what was right is not known yet (null), or shown. */
  practised: { body: NewJudgment; feedback: Feedback | null } | null;
  /** The lease of the comparison on the screen has ended. */
  late: boolean;
  /** The comparison on the screen is flagged. */
  flag: PastFlag | null;
  /** What was done last, for the line beside the undo button. */
  last: Past | null;
  undoing: boolean;
}

/** How an undo went: what came back, or the sentence that says why nothing did. */
export interface Undone {
  what: Past["what"] | null;
  trouble: string | null;
}

/** So many can be judged without a network. */
const AHEAD = 10;
const MOST = 20;
const EMPTY_RETRY_MS = 20_000;
const FAILED_RETRY_MS = 8_000;

export class Queue {
  private items: Comparison[] = [];
  /** Left the screen a short while ago; an unsent answer is taken back without the server. */
  private recent = new Map<string, Comparison>();
  private leases: Leases;
  private asking = false;
  private askAgain = false;
  private started = false;
  private retry: ReturnType<typeof setTimeout> | null = null;
  private renewal: ReturnType<typeof setInterval> | null = null;
  private stopFollowing: () => void = () => undefined;
  private listeners = new Set<() => void>();
  private status: View["status"] = "loading";
  private problem: Problem | null = null;
  private stage: Stage | null = null;
  private saidSince = 0;
  private practised: (View["practised"] & { id: string }) | null = null;
  private waiting = 0;
  private undoing = false;
  private undos: Promise<unknown> = Promise.resolve();
  private view: View;
  /** Written before an undo brings a comparison back: by comparison. */
  readonly earlier = new Map<string, NewJudgment>();

  constructor(
    private readonly project: string,
    private readonly server: Server,
    private readonly outbox: Outbox,
    private readonly history: History,
    private readonly desk: Desk = ONLY_DESK,
    private readonly now: () => number = Date.now,
  ) {
    this.leases = new Leases(server.renew, now);
    this.view = this.look();
  }

  private look(): View {
    const first = this.items[0];
    return {
      comparisons: this.items,
      status: first ? "ready" : this.status,
      problem: this.problem,
      stage: this.stage && this.isTested() ? { ...this.stage, done: Math.min(this.stage.of, this.stage.done + this.saidSince) } : this.stage,
      practised: this.practised,
      late: first !== undefined && this.leases.isLate(first),
      flag: first ? this.history.flagOf(first.id) : null,
      last: this.history.last(),
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
    this.leases.sign();
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
    this.practised = null;
    this.status = "loading";
    this.changed();
  }

  /** The person does something: the leases stay. */
  sign(): void {
    if (this.leases.sign()) void this.renew();
  }

  private renew(): Promise<void> {
    this.desk.sign();
    return this.started ? this.leases.renew(this.items, (item) => this.lost(item)) : Promise.resolve();
  }

  /** What was judged or skipped in another tab need not be looked at here. What is sent may make room for more. */
  private follow(): void {
    const waiting = this.outbox.pending(this.project);
    const drained = waiting === 0 && this.waiting > 0;
    this.waiting = waiting;
    const { practised } = this;
    if (practised && practised.feedback === null && this.outbox.refusal(practised.id) !== null) this.goOn();
    const left = this.items.filter((item) => !this.outbox.doneElsewhere(item.id));
    const fewer = left.length < this.items.length;
    this.items = left;
    if (fewer && left.length === 0) this.status = "loading";
    if (fewer) this.changed();
    if (fewer || (drained && left.length < AHEAD)) void this.fill();
  }

  async fill(): Promise<void> {
    if (!this.started || this.items.length >= AHEAD) return;
    if (this.asking) {
      this.askAgain = true;
      return;
    }
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    this.asking = true;
    this.askAgain = false;
    let pause: number | null = null;
    // The answer may tell of the time before: what was here or unsent then and is not here now has been done since.
    const before = new Set([...this.items.map((item) => item.id), ...this.outbox.answered()]);
    try {
      const { items, stage } = await this.server.next(Math.min(MOST, AHEAD + this.outbox.pending(this.project)));
      this.problem = null;
      if (!this.started) {
        for (const item of items) this.server.giveBack(item.lease.id);
        return;
      }
      const fresh = items.filter((item) => !before.has(item.id) && item.id !== this.practisedOn() && !this.outbox.isAnswered(item.id) && this.items.every((one) => one.id !== item.id));
      for (const item of fresh) this.leases.add(item);
      this.items = [...this.items, ...fresh];
      this.stage = stage;
      const unsent = this.outbox.pending(this.project);
      this.saidSince = unsent;
      // While an answer is on its way, what comes after it is not known yet.
      if (this.items.length === 0) this.status = unsent > 0 && this.outbox.get().trouble === null ? "loading" : "empty";
      if (this.items.length < AHEAD) pause = EMPTY_RETRY_MS;
    } catch (error) {
      this.problem = error instanceof Problem ? error : new Problem(0, String(error));
      if (this.items.length === 0) this.status = "failed";
      if (this.problem.passing) pause = FAILED_RETRY_MS;
    } finally {
      this.asking = false;
      this.changed();
    }
    if (this.askAgain) void this.fill();
    else if (pause !== null && this.started) this.retry = setTimeout(() => void this.fill(), pause);
  }

  /** The lease went to somebody else. What is on the screen stays there: its judgment is still worth sending. */
  private lost(item: Comparison): void {
    if (this.items[0] === item) this.leases.keepLate(item);
    else this.items = this.items.filter((one) => one !== item);
    this.changed();
    void this.fill();
  }

  judge(body: Omit<NewJudgment, "comparison" | "lease">): void {
    const comparison = this.items[0];
    if (!comparison || this.practised) return;
    const full: NewJudgment = { ...body, comparison: comparison.id, lease: comparison.lease.id };
    const entry = judgmentEntry(this.project, comparison, full, crypto.randomUUID(), this.now());
    this.saidSince++;
    if (comparison.practice) this.practised = { id: entry.id, body: full, feedback: null };
    this.store(entry, { what: "judgment", id: entry.id, comparison: comparison.id, at: entry.at, body: full });
    if (comparison.practice) this.changed();
    else this.advance(comparison);
  }

  skip(reason: string | null): void {
    const comparison = this.items[0];
    if (!comparison || this.practised) return;
    const entry: Entry = { what: "skip", id: crypto.randomUUID(), project: this.project, comparison: comparison.id, reason, at: this.now() };
    this.store(entry, { what: "skip", id: entry.id, comparison: comparison.id, at: entry.at });
    this.advance(comparison);
  }

  /** Says afterwards why the last one was skipped. */
  explainSkip(comparison: string, reason: string): void {
    this.outbox.add({ what: "skip", id: crypto.randomUUID(), project: this.project, comparison, reason, at: this.now() });
  }

  /** The comparison stays; an admin will look at it. */
  flag(reason: string): void {
    const comparison = this.items[0];
    if (!comparison) return;
    const entry: Entry = { what: "flag", id: crypto.randomUUID(), project: this.project, comparison: comparison.id, reason, at: this.now() };
    this.store(entry, { what: "flag", id: entry.id, comparison: comparison.id, at: entry.at, reason, flag: null });
    this.changed();
  }

  /** First stored, then shown: the order is the promise that no judgment is lost. */
  private store(entry: Entry, past: Past): void {
    this.sign();
    this.outbox.add(entry);
    this.history.add(past);
  }

  private advance(comparison: Comparison): void {
    this.recent.set(comparison.id, comparison);
    if (this.recent.size > MOST) this.recent.delete(this.recent.keys().next().value!);
    this.items = this.items.filter((item) => item !== comparison);
    if (this.items.length === 0) this.status = "loading";
    this.changed();
    // What comes after practice and qualification depends on their answers: asked when those have arrived.
    if (!this.isTested() || this.outbox.pending(this.project) === 0) void this.fill();
  }

  private isTested(): boolean {
    return this.stage?.name === "practice" || this.stage?.name === "qualification";
  }

  private practisedOn(): string | null {
    return this.practised?.body.comparison ?? null;
  }

  /** The server has taken a judgment; after a practice one it says what was right. */
  judged(id: string, judgment: Judgment): void {
    if (this.practised?.id !== id) return;
    if (judgment.feedback) {
      this.practised = { ...this.practised, feedback: judgment.feedback };
      this.changed();
    } else this.goOn();
  }

  flagged(id: string, flag: string): void {
    this.history.named(id, flag);
    this.changed();
  }

  /** The feedback is read. */
  goOn(): void {
    const practised = this.practisedOn();
    this.practised = null;
    const done = this.items.find((item) => item.id === practised);
    if (done) this.advance(done);
    else this.changed();
  }

  /** Takes back what was done last. Several in a row are done one by one. */
  undo(): Promise<Undone> {
    return this.inTurn(() => this.undoOne(this.history.last()));
  }

  /** Takes one judgment back, however long ago it was given: its comparison is in front again. */
  again(judgment: string): Promise<Undone> {
    return this.inTurn(() => this.undoOne(this.history.find(judgment), judgment));
  }

  /** Takes the flag of the comparison on the screen back, whatever came after it. */
  unflag(): Promise<Undone> {
    return this.inTurn(() => this.undoOne(this.view.flag));
  }

  private inTurn(undo: () => Promise<Undone>): Promise<Undone> {
    this.sign();
    const next = this.undos.then(undo);
    this.undos = next;
    return next;
  }

  private async undoOne(past: Past | null, judgment: string | null = null): Promise<Undone> {
    const what = past?.what ?? (judgment === null ? null : "judgment");
    this.undoing = true;
    this.changed();
    try {
      const trouble = past ? await this.takeBack(past) : judgment === null ? await this.takeBackLatest() : this.returned(null, await this.server.takeBack(judgment));
      return { what, trouble };
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem(0, String(error));
      if (!problem.passing && past) this.history.remove(past.id);
      return { what, trouble: problem.status === 0 ? i18n.t("annotate:undo.offline") : problem.message };
    } finally {
      this.undoing = false;
      this.changed();
    }
  }

  private async takeBack(past: Past): Promise<string | null> {
    await this.outbox.settled(past.comparison);
    if (past.what === "skip") this.outbox.forgetReason(past.comparison, past.id);
    if (this.outbox.isWaiting(past.id)) {
      if (past.what === "flag") {
        this.outbox.takeBack(past.id);
        this.history.remove(past.id);
        return null;
      }
      const known = this.recent.get(past.comparison) ?? this.items.find((one) => one.id === past.comparison) ?? (await this.onLease(past.comparison));
      if (known && this.outbox.takeBack(past.id)) return this.returned(past, known);
      await this.outbox.settled(past.comparison);
      if (this.outbox.isWaiting(past.id)) throw new Problem(0, "");
    }
    switch (past.what) {
      case "judgment":
        return this.returned(past, await this.server.takeBack(past.id));
      case "skip":
        return this.returned(past, await this.server.unskip(past.comparison));
      case "flag":
        if (past.flag !== null) await this.server.unflag(past.flag);
        this.history.remove(past.id);
        return past.flag === null ? i18n.t("annotate:undo.flagGone") : null;
    }
  }

  private async takeBackLatest(): Promise<string | null> {
    const latest = await this.server.latest();
    return latest === null ? i18n.t("annotate:undo.nothing") : this.returned(null, await this.server.takeBack(latest));
  }

  /** After a reload: the comparison of an unsent answer is still this person's. */
  private async onLease(comparison: string): Promise<Comparison | undefined> {
    return (await this.server.next(MOST)).items.find((item) => item.id === comparison);
  }

  private returned(past: Past | null, comparison: Comparison | null): string | null {
    if (past) this.history.remove(past.id);
    if (!comparison) return i18n.t("annotate:undo.gone");
    if (!this.started) {
      this.server.giveBack(comparison.lease.id); // The page was left while the answer was on its way.
      return null;
    }
    if (past?.what === "judgment" && past.body) this.earlier.set(comparison.id, past.body);
    if (past?.what !== "skip" && this.saidSince > 0) this.saidSince--;
    if (this.practisedOn() === comparison.id) this.practised = null;
    this.leases.add(comparison);
    this.items = [comparison, ...this.items.filter((one) => one.id !== comparison.id)];
    return null;
  }
}
