/** The one outbox of the signed-in person. It outlives the annotate page: what is unsent is sent from any page. */
import { useEffect, useSyncExternalStore } from "react";
import { flag, judge, skip } from "../api/queries";
import { type Desk, desk } from "./desks";
import { History } from "./history";
import { type Heard, Outbox, type Snapshot } from "./outbox";

let open: { user: string; outbox: Outbox } | null = null;
const listeners = new Set<Heard>();

/** localStorage can be switched off altogether; then the entries live as long as the page. */
function storage(): Storage {
  try {
    localStorage.setItem("podium.probe", "1");
    localStorage.removeItem("podium.probe");
    return localStorage;
  } catch {
    return new Proxy({} as Storage, {
      get: (_, name) => (name === "length" ? 0 : name === "setItem" ? () => { throw new Error("no storage"); } : () => null),
    });
  }
}

export function openOutbox(user: string): Outbox {
  if (open?.user === user) return open.outbox;
  open?.outbox.stop();
  const outbox = new Outbox(user, storage(), { judge, skip: async (id, reason) => void (await skip(id, reason)), flag }, {
    judged: (entry, judgment) => listeners.forEach((one) => one.judged(entry, judgment)),
    flagged: (entry, name) => listeners.forEach((one) => one.flagged(entry, name)),
  });
  open = { user, outbox };
  return outbox;
}

/** This window's place among those that show the same project to the same person. */
export function openDesk(user: string, project: string): Desk {
  return desk(storage(), user, project);
}

export function closeOutbox(): void {
  open?.outbox.stop();
  open = null;
}

if (typeof window !== "undefined") {
  window.addEventListener("online", () => open?.outbox.retry());
  window.addEventListener("storage", (event) => {
    if (event.key === null) return;
    if (event.newValue === null) open?.outbox.goneElsewhere(event.key);
    else open?.outbox.addedElsewhere(event.key, event.newValue);
  });
  window.addEventListener("beforeunload", (event) => {
    const state = open?.outbox.get();
    if (state && !state.durable && state.waiting.length > 0) event.preventDefault();
  });
}

export function useOutbox(outbox: Outbox): Snapshot {
  return useSyncExternalStore(outbox.subscribe, outbox.get);
}

/** What this person did last in a project. */
export function openHistory(user: string, project: string): History {
  return new History(storage(), `podium.history.${user}.${project}`);
}

/** Calls back whenever the server has taken something. */
export function useHeard(listener: Heard): void {
  useEffect(() => {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, [listener]);
}
