/**
 * What this person did last in a project, newest last, so that it can be taken back, also after a reload. Knows
 * neither the server nor the outbox.
 */
import type { NewJudgment } from "../api/types";

interface Base {
  /** Of its entry in the outbox; a judgment's own id. */
  id: string;
  comparison: string;
  at: number;
}
export interface PastJudgment extends Base {
  what: "judgment";
  /** Absent where the browser had no room left for it. */
  body?: NewJudgment;
}
export interface PastSkip extends Base {
  what: "skip";
}
export interface PastFlag extends Base {
  what: "flag";
  reason: string;
  /** The server's name for it, once it has answered. */
  flag: string | null;
}
export type Past = PastJudgment | PastSkip | PastFlag;

const MOST = 50;
/** Texts may be long; only the latest keep theirs when the browser runs out of room. */
const WITH_TEXTS = 5;

export class History {
  private items: Past[] = [];

  constructor(
    private readonly storage: Storage,
    private readonly key: string,
  ) {
    this.read();
  }

  private read(): void {
    try {
      const found = JSON.parse(this.storage.getItem(this.key) ?? "null") as unknown;
      if (Array.isArray(found)) this.items = found as Past[];
    } catch {
      // Not ours, or half written: what is in memory stands.
    }
  }

  private write(items: Past[]): void {
    this.items = items.slice(-MOST);
    const tries = [this.items, this.items.map((past, at) => (past.what === "judgment" && at < this.items.length - WITH_TEXTS ? { ...past, body: undefined } : past))];
    for (const one of tries) {
      try {
        this.storage.setItem(this.key, JSON.stringify(one));
        return;
      } catch {
        // Full: with fewer texts, or for this page only.
      }
    }
  }

  /** Another tab of this person may have done something since. */
  last(): Past | null {
    this.read();
    return this.items.at(-1) ?? null;
  }

  find(id: string): Past | null {
    this.read();
    return this.items.find((past) => past.id === id) ?? null;
  }

  add(past: Past): void {
    this.read();
    this.write([...this.items.filter((one) => one.id !== past.id), past]);
  }

  remove(id: string): void {
    this.read();
    this.write(this.items.filter((one) => one.id !== id));
  }

  /** The server has told its name of a flag. */
  named(id: string, flag: string): void {
    this.read();
    this.write(this.items.map((past) => (past.id === id && past.what === "flag" ? { ...past, flag } : past)));
  }

  /** The flag that stands on a comparison. */
  flagOf(comparison: string): PastFlag | null {
    return this.items.findLast((past): past is PastFlag => past.what === "flag" && past.comparison === comparison) ?? null;
  }
}
