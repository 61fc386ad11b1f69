import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Problem } from "../api/client";
import type { Comparison, Judgment, Stage } from "../api/types";
import { desk } from "./desks";
import { History } from "./history";
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
  reasons: (string | null)[] = [];
  flags = new Map<string, string>();
  practice = false;
  stage: Stage | null = null;
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
      this.held.set(id, { ...comparison(id), ...(this.practice ? { practice: true } : {}) });
    }
    return { items: [...this.held.values()].slice(0, count), stage: this.stage && { ...this.stage, done: this.judged.length } };
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
    const feedback = this.practice ? { right: false, ranks: [2, 1], none_acceptable: false, explanation: "why" } : null;
    return { id, comparison: body.comparison, counted: true, reason: null, created_at: "", feedback };
  };
  skip = async (id: string, reason: string | null) => {
    this.check();
    this.held.delete(id);
    if (!this.skipped.includes(id)) this.skipped.push(id);
    this.reasons.push(reason);
  };
  unskip = async (id: string) => {
    this.check();
    this.skipped = this.skipped.filter((one) => one !== id);
    const back = comparison(id);
    this.held.set(id, back);
    return back;
  };
  flag = async (id: string, reason: string) => {
    this.check();
    this.flags.set(`flag-${id}`, reason);
    return { id: `flag-${id}` };
  };
  unflag = async (flag: string) => {
    this.check();
    this.flags.delete(flag);
  };
}

const storage = () => {
  const map = new Map<string, string>();
  return { get length() { return map.size; }, key: (at: number) => [...map.keys()][at] ?? null, getItem: (key: string) => map.get(key) ?? null, setItem: (key: string, value: string) => void map.set(key, value), removeItem: (key: string) => void map.delete(key), clear: () => map.clear() } as Storage;
};

let server: Fake;
let outbox: Outbox;
let queue: Queue;
let kept: Storage;
const history = () => new History(kept, "history");
const connect = (of: () => Queue): ConstructorParameters<typeof Outbox>[3] => ({
  judged: (made, judgment) => of().judged(made.id, judgment),
  flagged: (made, flag) => of().flagged(made.id, flag),
});
const fine = { trouble: null };
const later = (ms = 1) => vi.advanceTimersByTimeAsync(ms);
const ids = () => queue.get().comparisons.map((one) => one.id);
const left = { ranks: [1, 2], none_acceptable: false };

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  server = new Fake();
  server.left = [..."abcdefghijklmnop"];
  kept = storage();
  outbox = new Outbox("u", kept, server, connect(() => queue));
  queue = new Queue("p", server, outbox, history());
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

  it("never shows again what was done while the question for more was on its way", async () => {
    const ask = server.next;
    const answers: (() => void)[] = [];
    server.next = async (count) => {
      const told = await ask(count); // as it stands now, told later
      await new Promise<void>((resolve) => answers.push(resolve));
      return told;
    };
    queue.judge(left); // asks for more, and the answer still holds "b" on lease
    queue.judge(left);
    await later();
    expect(server.judged).toEqual(["a", "b"]);
    while (answers.length > 0) {
      answers.shift()!();
      await later();
    }
    expect(ids()).not.toContain("a");
    expect(ids()).not.toContain("b");
    expect(ids()).toHaveLength(10);
  });

  it("undoes a judgment that was sent, with a lease of its own again", async () => {
    queue.judge({ ...left, comment: "because" });
    await later(10);
    expect(await queue.undo()).toMatchObject(fine);
    expect(ids()[0]).toBe("a");
    expect(server.judged).toEqual([]);
    expect(queue.earlier.get("a")?.comment).toBe("because");
  });

  it("undoes without the server what the server has not seen", async () => {
    server.down = true;
    queue.judge(left);
    await later(10);
    expect(await queue.undo()).toMatchObject(fine);
    expect(ids()[0]).toBe("a");
    expect(outbox.get().waiting).toHaveLength(0);
  });

  it("undoes many in turn", async () => {
    for (let i = 0; i < 4; i++) queue.judge(left);
    await later(50);
    for (const id of ["d", "c", "b", "a"]) {
      expect(await queue.undo()).toMatchObject(fine);
      expect(ids()[0]).toBe(id);
    }
  });

  it("undoes as often as it was asked, even when the asking is faster than the server", async () => {
    for (let i = 0; i < 4; i++) queue.judge(left);
    await later(50);
    const asked = [queue.undo(), queue.undo(), queue.undo()];
    expect((await Promise.all(asked)).map((one) => one.trouble)).toEqual([null, null, null]);
    expect(ids().slice(0, 3)).toEqual(["b", "c", "d"]);
    expect(server.judged).toEqual(["a"]);
  });

  it("undoes after a reload what was judged before", async () => {
    queue.judge(left);
    await later(10);
    const fresh = new Queue("p", server, outbox, history());
    fresh.start();
    await later();
    expect(await fresh.undo()).toMatchObject(fine);
    expect(fresh.get().comparisons[0]?.id).toBe("a");
    fresh.leave();
  });

  it("says when undo needs a server that is away, and can be tried again", async () => {
    queue.judge(left);
    await later(10);
    server.down = true;
    expect((await queue.undo()).trouble).toMatch(/cannot be reached/);
    expect(ids()[0]).toBe("b");
    server.down = false;
    expect(await queue.undo()).toMatchObject(fine);
    expect(ids()[0]).toBe("a");
  });

  it("takes a skip back, sent or not, and after a reload", async () => {
    server.down = true;
    queue.skip(null);
    await later(10);
    expect(await queue.undo()).toMatchObject({ what: "skip", trouble: null });
    expect([ids()[0], outbox.get().waiting]).toEqual(["a", []]);
    server.down = false;
    queue.skip(null);
    await later(5_000);
    expect(server.skipped).toEqual(["a"]);
    queue.leave();
    const fresh = new Queue("p", server, outbox, history());
    fresh.start();
    await later();
    expect(fresh.get().last?.what).toBe("skip");
    expect(await fresh.undo()).toMatchObject({ what: "skip", trouble: null });
    expect([fresh.get().comparisons[0]?.id, server.skipped]).toEqual(["a", []]);
    fresh.leave();
  });

  it("tells afterwards why something was skipped, and not once the skip is taken back", async () => {
    queue.skip(null);
    await later(10);
    queue.explainSkip("a", "too long");
    await later(10);
    expect(server.reasons).toEqual([null, "too long"]);
    server.down = true;
    queue.skip(null);
    queue.explainSkip("b", "too short");
    await later(10);
    expect(await queue.undo()).toMatchObject(fine);
    expect(outbox.get().waiting).toEqual([]);
  });

  it("flags without leaving the comparison, and takes the flag back, also later and after a reload", async () => {
    queue.flag("broken");
    expect([ids()[0], queue.get().flag?.reason]).toEqual(["a", "broken"]);
    await later(10);
    expect([...server.flags]).toEqual([["flag-a", "broken"]]);
    expect(await queue.unflag()).toMatchObject({ what: "flag", trouble: null });
    expect([server.flags.size, queue.get().flag]).toEqual([0, null]);

    queue.flag("still broken");
    queue.judge(left);
    await later(50);
    const fresh = new Queue("p", server, outbox, history());
    fresh.start();
    await later();
    expect(await fresh.undo()).toMatchObject({ what: "judgment", trouble: null });
    expect(fresh.get().flag?.reason).toBe("still broken");
    expect(await fresh.undo()).toMatchObject({ what: "flag", trouble: null });
    expect(server.flags.size).toBe(0);
    fresh.leave();
  });

  it("undoes at least twenty, also those from before a reload, with all that was entered", async () => {
    server.left = Array.from({ length: 40 }, (_, at) => `n${at}`);
    await later(30_000);
    const said: string[] = [];
    for (let turn = 0; turn < 24; turn++) {
      said.push(ids()[0]!);
      if (turn % 5 === 4) queue.skip(null);
      else queue.judge({ ...left, comment: `why ${ids()[0]}` });
      await later(100);
    }
    queue.leave();
    const fresh = new Queue("p", server, outbox, history());
    fresh.start();
    await later();
    for (const id of said.toReversed()) {
      const { what, trouble } = await fresh.undo();
      expect([trouble, fresh.get().comparisons[0]?.id]).toEqual([null, id]);
      if (what === "judgment") expect(fresh.earlier.get(id)?.comment).toBe(`why ${id}`);
    }
    expect([server.judged, server.skipped]).toEqual([[], []]);
    fresh.leave();
  });

  it("undoes after a reload what was never sent", async () => {
    server.down = true;
    queue.judge(left);
    await later(10);
    const fresh = new Queue("p", server, outbox, history());
    fresh.start();
    await later(10);
    expect((await fresh.undo()).trouble).toMatch(/cannot be reached/);
    expect(outbox.get().waiting).toHaveLength(1);
    server.down = false;
    expect(await fresh.undo()).toMatchObject(fine);
    expect([fresh.get().comparisons[0]?.id, outbox.get().waiting, server.judged]).toEqual(["a", [], []]);
    fresh.leave();
  });

  it("has nothing to undo at first", async () => {
    expect((await queue.undo()).trouble).toBe("There is nothing to undo.");
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
    const other = new Queue("p", server, outbox, history());
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

describe("practice and qualification", () => {
  const reopen = async () => {
    queue.leave();
    server.held.clear();
    queue = new Queue("p", server, outbox, history());
    queue.start();
    await later();
  };

  it("keeps a practice comparison on the screen until what was right has been read", async () => {
    Object.assign(server, { practice: true, left: ["x", "y"], stage: { name: "practice", done: 0, of: 2, needed_share: null } });
    await reopen();
    queue.judge(left);
    queue.judge(left); // nothing more to say until it is answered
    expect([ids()[0], queue.get().practised?.feedback]).toEqual(["x", null]);
    await later(10);
    expect(queue.get().practised?.feedback?.explanation).toBe("why");
    expect(ids()[0]).toBe("x");
    queue.goOn();
    expect([ids()[0], queue.get().practised]).toEqual(["y", null]);
    expect(server.judged).toEqual(["x"]);
    queue.judge(left);
    await later(10);
    expect(await queue.undo()).toMatchObject(fine);
    expect([ids()[0], queue.get().practised]).toEqual(["y", null]);
  });

  it("goes on when a practice answer is not accepted", async () => {
    Object.assign(server, { practice: true, left: ["x", "y"] });
    await reopen();
    server.judge = async () => {
      throw new Problem(409, "too late");
    };
    queue.judge(left);
    await later(10);
    expect(ids()[0]).toBe("y");
  });

  it("counts what is said but not sent, and asks what comes next once the last one has arrived", async () => {
    Object.assign(server, { left: ["x", "y", "z"], stage: { name: "qualification", done: 0, of: 3, needed_share: 0.8 } });
    await reopen();
    const done = () => queue.get().stage?.done;
    expect(done()).toBe(0);
    queue.judge(left);
    expect(done()).toBe(1);
    await later(50);
    expect(done()).toBe(1);
    queue.judge(left);
    const held = server.judge;
    server.judge = (...all) => new Promise((resolve) => setTimeout(() => resolve(held(...all)), 500));
    queue.judge(left);
    await later(100);
    expect([queue.get().status, done()]).toEqual(["loading", 3]); // not "all done": the answer may open the work
    server.left = ["w"];
    server.stage = { name: "work", done: 0, of: 0, needed_share: null };
    await later(1_200);
    expect([queue.get().stage?.name, ids()]).toEqual(["work", ["w"]]);
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
      const own = this.storage(() => this.outboxes[place]);
      const box = new Outbox("u", own, server);
      this.outboxes.push(box);
      const made = new Queue("p", server, box, new History(own, "history"), desk(own, "u", "p"));
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
