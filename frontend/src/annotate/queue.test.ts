import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "../api/client";
import type { Comparison, Judgment } from "../api/types";
import { desk } from "./desks";
import { Outbox } from "./outbox";
import { Queue, type Server } from "./queue";

const LEASE_MS = 600_000;

function comparison(id: string): Comparison {
  return {
    id,
    prompt: { id: `p-${id}`, messages: [{ role: "user", content: id }] },
    completions: [{ id: `${id}-a`, text: "a" }, { id: `${id}-b`, text: "b" }],
    lease: { id: `lease-${id}`, expires_at: new Date(Date.now() + LEASE_MS).toISOString() },
    protocol: { size: 2, allow_tie: true, allow_none_acceptable: true, strength_levels: 0, aspects: [], comment: "off", ideal_answer: "off", spans: false },
    guidelines_version: 1,
    practice: false,
  };
}

/** A server that keeps leases as the real one does: `next` fills up to a count, those on lease among them. */
class Fake implements Server {
  left: string[] = [];
  held = new Map<string, Comparison>();
  judged: string[] = [];
  skipped: string[] = [];
  gaveBack: string[] = [];
  renewed: string[] = [];
  down = false;
  renewFails: Problem | null = null;

  check() {
    if (this.down) throw new Problem(0, "away");
  }
  next = async (count: number) => {
    this.check();
    while (this.held.size < count && this.left.length > 0) {
      const id = this.left.shift()!;
      this.held.set(id, comparison(id));
    }
    return [...this.held.values()].slice(0, count);
  };
  renew = async (lease: string) => {
    this.check();
    if (this.renewFails) throw this.renewFails;
    this.renewed.push(lease);
    return { expires_at: new Date(Date.now() + LEASE_MS).toISOString() };
  };
  giveBack = (lease: string) => void this.gaveBack.push(lease);
  takeBack = async (judgment: string) => {
    this.check();
    const id = judgment.split("|")[1] ?? this.judged.at(-1)!;
    this.judged = this.judged.filter((one) => one !== id);
    const back = comparison(id);
    this.held.set(id, back);
    return back;
  };
  latest = async () => (this.judged.length > 0 ? `x|${this.judged.at(-1)}` : null);
  judge = async (id: string, body: { comparison: string }): Promise<Judgment> => {
    this.check();
    this.held.delete(body.comparison);
    this.judged.push(body.comparison);
    return { id, comparison: body.comparison, counted: true, reason: null, created_at: "", feedback: null };
  };
  skip = async (id: string) => {
    this.check();
    this.held.delete(id);
    this.skipped.push(id);
  };
}

const storage = () => {
  const map = new Map<string, string>();
  return { get length() { return map.size; }, key: (at: number) => [...map.keys()][at] ?? null, getItem: (key: string) => map.get(key) ?? null, setItem: (key: string, value: string) => void map.set(key, value), removeItem: (key: string) => void map.delete(key), clear: () => map.clear() } as Storage;
};

let server: Fake;
let outbox: Outbox;
let queue: Queue;
const later = (ms = 1) => vi.advanceTimersByTimeAsync(ms);
const ids = () => queue.get().comparisons.map((one) => one.id);
const left = { ranks: [1, 2], none_acceptable: false };

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  server = new Fake();
  server.left = [..."abcdefghijklmnop"];
  outbox = new Outbox("u", storage(), server);
  queue = new Queue("p", server, outbox);
  queue.start();
  await later();
});
afterEach(() => {
  queue.leave();
  outbox.stop();
  vi.useRealTimers();
});

describe("queue", () => {
  it("keeps some comparisons ahead and the next one ready at once", async () => {
    expect(ids()).toEqual([..."abcdefghij"]);
    queue.judge(left);
    expect(ids()[0]).toBe("b"); // before anything was sent
    await later();
    expect(server.judged).toEqual(["a"]);
    await later(60_000);
    expect(ids()).toHaveLength(10);
  });

  it("never shows again what is judged but not yet sent", async () => {
    server.down = true;
    queue.judge(left);
    queue.judge(left);
    await later(5_000);
    server.down = false;
    // The server still has "a" and "b" on lease to this person, and hands them out again when asked.
    await queue.fill();
    expect(ids()).not.toContain("a");
    expect(ids()).not.toContain("b");
    expect(ids()).toHaveLength(10);
    await later(60_000);
    expect(server.judged).toEqual(["a", "b"]);
  });

  it("undoes a judgment that was sent, with a lease of its own again", async () => {
    queue.judge({ ...left, comment: "because" });
    await later(10);
    const trouble = await queue.undo();
    expect(trouble).toBeNull();
    expect(ids()[0]).toBe("a");
    expect(server.judged).toEqual([]);
    expect(queue.earlier.get("a")?.comment).toBe("because");
  });

  it("undoes without the server what the server has not seen", async () => {
    server.down = true;
    queue.judge(left);
    await later(10);
    expect(await queue.undo()).toBeNull();
    expect(ids()[0]).toBe("a");
    expect(outbox.get().waiting).toHaveLength(0);
  });

  it("undoes many in turn", async () => {
    for (let i = 0; i < 4; i++) queue.judge(left);
    await later(50);
    for (const id of ["d", "c", "b", "a"]) {
      expect(await queue.undo()).toBeNull();
      expect(ids()[0]).toBe(id);
    }
  });

  it("undoes as often as it was asked, even when the asking is faster than the server", async () => {
    for (let i = 0; i < 4; i++) queue.judge(left);
    await later(50);
    const asked = [queue.undo(), queue.undo(), queue.undo()];
    expect(await Promise.all(asked)).toEqual([null, null, null]);
    expect(ids().slice(0, 3)).toEqual(["b", "c", "d"]);
    expect(server.judged).toEqual(["a"]);
  });

  it("undoes after a reload what was judged before", async () => {
    queue.judge(left);
    await later(10);
    const fresh = new Queue("p", server, outbox);
    fresh.start();
    await later();
    expect(await fresh.undo()).toBeNull();
    expect(fresh.get().comparisons[0]?.id).toBe("a");
    fresh.leave();
  });

  it("says when undo needs a server that is away, and can be tried again", async () => {
    queue.judge(left);
    await later(10);
    server.down = true;
    expect(await queue.undo()).toMatch(/cannot be reached/);
    expect(ids()[0]).toBe("b");
    server.down = false;
    expect(await queue.undo()).toBeNull();
    expect(ids()[0]).toBe("a");
  });

  it("takes a skip back for a while, then sends it", async () => {
    queue.skip(null);
    await later(5_000);
    expect(server.skipped).toEqual([]);
    expect(await queue.undo()).toBeNull();
    expect(ids()[0]).toBe("a");
    queue.skip(null);
    await later(61_000);
    expect(server.skipped).toEqual(["a"]);
    expect(await queue.undo()).toMatch(/cannot be taken back/);
  });

  it("has nothing to undo at first", async () => {
    expect(await queue.undo()).toBe("There is nothing to undo.");
  });

  it("renews the leases while the page is used, and lets go when nobody is there", async () => {
    await later(LEASE_MS / 2 + 25_000);
    expect(new Set(server.renewed).size).toBe(10);
    const before = server.renewed.length;
    await later(3 * 3_600_000);
    const idle = server.renewed.length;
    expect(idle - before).toBeLessThan(50);
    queue.sign(); // back from lunch
    await later(100);
    expect(server.renewed.length).toBeGreaterThan(idle);
  });

  it("keeps the one on the screen when its lease is lost, and drops those behind it", async () => {
    server.renewFails = new Problem(409, "ended");
    server.held.clear();
    await later(LEASE_MS / 2 + 25_000);
    expect(ids()[0]).toBe("a");
    expect(queue.get().late).toBe(true);
    expect(ids()).not.toContain("b");
  });

  it("gives every lease back when the page is left", () => {
    queue.leave();
    expect(server.gaveBack).toEqual([..."abcdefghij"].map((id) => `lease-${id}`));
    expect(ids()).toEqual([]);
  });

  it("says that nothing is left, and finds what comes later by itself", async () => {
    server.left = [];
    for (let i = 0; i < 10; i++) queue.judge(left);
    await later(100);
    expect(queue.get().status).toBe("empty");
    server.left = ["late"];
    await later(25_000);
    expect(ids()).toEqual(["late"]);
    expect(queue.get().status).toBe("ready");
  });

  it("says what is wrong, and goes on by itself when it is over", async () => {
    server.down = true;
    const other = new Queue("p", server, outbox);
    other.start();
    await later();
    expect(other.get().status).toBe("failed");
    expect(other.get().problem?.message).toBe("away");
    server.down = false;
    await later(10_000);
    expect(other.get().status).toBe("ready");
    other.leave();
  });
});

describe("two tabs of one person", () => {
  /** What the browser does: a tab's writes are told to every other tab. */
  class Tabs {
    map = new Map<string, string>();
    outboxes: Outbox[] = [];
    storage(of: () => Outbox | undefined): Storage {
      const { map } = this;
      const others = () => this.outboxes.filter((one) => one !== of());
      return {
        get length() { return map.size; },
        key: (at: number) => [...map.keys()][at] ?? null,
        getItem: (key: string) => map.get(key) ?? null,
        setItem: (key: string, value: string) => {
          map.set(key, value);
          for (const one of others()) one.addedElsewhere(key, value);
        },
        removeItem: (key: string) => {
          map.delete(key);
          for (const one of others()) one.goneElsewhere(key);
        },
        clear: () => map.clear(),
      } as Storage;
    }
    open(): [Queue, Outbox] {
      const place = this.outboxes.length;
      const kept = this.storage(() => this.outboxes[place]);
      const box = new Outbox("u", kept, server);
      this.outboxes.push(box);
      const made = new Queue("p", server, box, desk(kept, "u", "p"));
      made.start();
      return [made, box];
    }
  }
  const shown = (one: Queue) => one.get().comparisons.map((item) => item.id);
  let one: Queue, two: Queue, boxOne: Outbox, boxTwo: Outbox;

  beforeEach(async () => {
    server.left = [..."abcdefghijklmnop"];
    server.held.clear();
    const tabs = new Tabs();
    [one, boxOne] = tabs.open();
    await later();
    [two, boxTwo] = tabs.open();
    await later();
  });
  afterEach(() => {
    for (const each of [one, two]) each.leave();
    for (const each of [boxOne, boxTwo]) each.stop();
  });

  it("does not ask in one what was said in the other, also before it is sent", async () => {
    expect(shown(two)[0]).toBe("a");
    server.down = true;
    one.judge(left);
    expect(shown(two)[0]).toBe("b");
    two.judge(left);
    expect(shown(one)[0]).toBe("c");
    server.down = false;
    await later(60_000);
    expect(server.judged.toSorted()).toEqual(["a", "b"]);
    expect(boxOne.get().waiting).toEqual([]);
    expect(boxTwo.get().waiting).toEqual([]);
  });

  it("leaves a skip to the tab that may still take it back", async () => {
    one.skip(null);
    await later(30_000);
    expect(shown(two)[0]).toBe("b");
    expect(server.skipped).toEqual([]);
    expect(await one.undo()).toBeNull();
    await later(120_000);
    expect(server.skipped).toEqual([]);
  });

  it("sends what a tab has left behind", async () => {
    server.down = true;
    one.judge(left);
    boxOne.stop();
    server.down = false;
    await later(60_000);
    expect(server.judged).toEqual([]);
    await later(150_000);
    expect(server.judged).toEqual(["a"]);
  });

  it("gives the leases back when the last one closes, not before", () => {
    one.leave();
    expect(server.gaveBack).toEqual([]);
    two.leave();
    expect(server.gaveBack).toHaveLength(10);
  });
});
