import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "../api/client";
import type { Judgment, NewJudgment } from "../api/types";
import { type Entry, Outbox, pauseMs, type Transport } from "./outbox";

class MemoryStorage {
  map = new Map<string, string>();
  full = false;
  get length() {
    return this.map.size;
  }
  key = (at: number) => [...this.map.keys()][at] ?? null;
  getItem = (key: string) => this.map.get(key) ?? null;
  setItem = (key: string, value: string) => {
    if (this.full) throw new DOMException("full", "QuotaExceededError");
    this.map.set(key, value);
  };
  removeItem = (key: string) => void this.map.delete(key);
  clear = () => this.map.clear();
}

const body = (comparison: string): NewJudgment => ({ comparison, lease: "l", ranks: [1, 2], none_acceptable: false });
const entry = (id: string, at = 0): Entry => ({ what: "judgment", id, project: "p", comparison: `c-${id}`, body: body(`c-${id}`), at });
const taken = (id: string): Judgment => ({ id, comparison: `c-${id}`, counted: true, reason: null, created_at: "2026-01-01T00:00:00Z", feedback: null });

let storage: MemoryStorage;
let sent: string[];
let fail: Error | null;
let transport: Transport;
const make = () => new Outbox("u", storage as unknown as Storage, transport);
const later = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  storage = new MemoryStorage();
  sent = [];
  fail = null;
  transport = {
    judge: async (id) => {
      if (fail) throw fail;
      sent.push(id);
      return taken(id);
    },
    skip: async (comparison) => {
      if (fail) throw fail;
      sent.push(`skip ${comparison}`);
    },
    flag: async (comparison, reason) => {
      if (fail) throw fail;
      sent.push(`flag ${comparison}: ${reason}`);
      return { id: `f-${comparison}` };
    },
  };
});
afterEach(() => void vi.useRealTimers());

describe("outbox", () => {
  it("has written an entry before add returns, and forgets it only when the server has it", async () => {
    const outbox = make();
    outbox.add(entry("1"));
    expect(storage.map.size).toBe(1);
    expect(outbox.get().waiting).toHaveLength(1);
    await later();
    expect(sent).toEqual(["1"]);
    expect(storage.map.size).toBe(0);
    expect(outbox.get().waiting).toHaveLength(0);
  });

  it("keeps entries while the server is away, and sends them in order when it is back", async () => {
    const outbox = make();
    fail = new Problem(0, "unreachable");
    outbox.add(entry("1", 1));
    outbox.add(entry("2", 2));
    outbox.add(entry("3", 3));
    await later(120_000);
    expect(sent).toEqual([]);
    expect(outbox.get().trouble).toBe("unreachable");
    expect(storage.map.size).toBe(3);
    fail = null;
    await later(60_000);
    expect(sent).toEqual(["1", "2", "3"]);
    expect(outbox.get().trouble).toBeNull();
  });

  it("survives a reload", async () => {
    fail = new Problem(503, "down");
    const before = make();
    before.add(entry("2", 2));
    before.add(entry("1", 1));
    await later(10);
    before.stop();
    fail = null;
    const after = make();
    expect(after.get().waiting.map((one) => one.id)).toEqual(["1", "2"]);
    await later(10);
    expect(sent).toEqual(["1", "2"]);
  });

  it("does not mix people who share a browser", async () => {
    fail = new Problem(0, "away");
    make().add(entry("1"));
    fail = null;
    const other = new Outbox("somebody else", storage as unknown as Storage, transport);
    expect(other.get().waiting).toHaveLength(0);
  });

  it("sets a refused judgment aside with the reason, and goes on with the next", async () => {
    const outbox = make();
    fail = new Problem(422, "ranks count 1, 2, 3");
    outbox.add(entry("1", 1));
    await later(5);
    fail = null;
    outbox.add(entry("2", 2));
    await later(5);
    expect(sent).toEqual(["2"]);
    expect(outbox.get().refused.map((one) => [one.id, one.refused])).toEqual([["1", "ranks count 1, 2, 3"]]);
    expect(storage.map.size).toBe(1);
    outbox.dismiss("1");
    expect(storage.map.size).toBe(0);
  });

  it("waits for a sign-in instead of losing or refusing anything", async () => {
    const outbox = make();
    fail = new Problem(401, "Sign in first.");
    outbox.add(entry("1"));
    await later(100_000);
    expect(outbox.get().signedOut).toBe(true);
    expect(outbox.get().refused).toHaveLength(0);
    fail = null;
    outbox.retry();
    await later(5);
    expect(sent).toEqual(["1"]);
  });

  it("lets an unsent entry be taken back, and says when it is too late", async () => {
    const outbox = make();
    fail = new Problem(0, "away");
    outbox.add(entry("1"));
    await later(5);
    expect(outbox.takeBack("1")).toBe(true);
    expect(storage.map.size).toBe(0);
    fail = null;
    outbox.add(entry("2"));
    await later(5);
    expect(outbox.takeBack("2")).toBe(false);
  });

  it("cannot take back what is on its way", async () => {
    let arrive = () => {};
    transport.judge = (id) => new Promise((resolve) => (arrive = () => resolve(taken(id))));
    const outbox = make();
    outbox.add(entry("1"));
    await later(5);
    expect(outbox.takeBack("1")).toBe(false);
    const settled = outbox.settled("c-1");
    arrive();
    await settled;
    await later(5);
    expect(outbox.get().waiting).toHaveLength(0);
  });

  it("sends a flag and tells what the server calls it", async () => {
    const heard: string[] = [];
    const outbox = new Outbox("u", storage as unknown as Storage, transport, { judged: () => undefined, flagged: (made, flag) => void heard.push(`${made.id} is ${flag}`) });
    outbox.add({ what: "flag", id: "1", project: "p", comparison: "c-1", reason: "broken", at: 0 });
    expect([outbox.isAnswered("c-1"), outbox.pending("p")]).toEqual([false, 0]); // it can still be judged
    await later();
    expect(sent).toEqual(["flag c-1: broken"]);
    expect(heard).toEqual(["1 is f-c-1"]);
    expect(storage.map.size).toBe(0);
  });

  it("says when the browser stores nothing, and still sends", async () => {
    storage.full = true;
    const outbox = make();
    outbox.add(entry("1"));
    expect(outbox.get().durable).toBe(false);
    await later(5);
    expect(sent).toEqual(["1"]);
  });

  it("knows which comparisons are pending, by project", () => {
    fail = new Problem(0, "away");
    const outbox = make();
    outbox.add(entry("1"));
    expect(outbox.isAnswered("c-1")).toBe(true);
    expect(outbox.isAnswered("c-2")).toBe(false);
    expect(outbox.pending("p")).toBe(1);
    expect(outbox.pending("q")).toBe(0);
  });

  it("drops what another tab has sent", async () => {
    fail = new Problem(0, "away");
    const outbox = make();
    outbox.add(entry("1"));
    await later(5);
    outbox.goneElsewhere("podium.outbox.u.1");
    expect(outbox.get().waiting).toHaveLength(0);
  });

  it("pauses longer and longer, up to half a minute or so", () => {
    expect(pauseMs(0, 0.5)).toBe(1_000);
    expect(pauseMs(1, 0.5)).toBe(2_000);
    expect(pauseMs(3, 0.5)).toBe(8_000);
    expect(pauseMs(50, 0.5)).toBe(30_000);
    expect(pauseMs(0, 0)).toBe(750);
    expect(pauseMs(50, 1)).toBe(37_500);
  });
});
