/** The queue of one project for as long as its page is open, and the attention that is given to it. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { sendAndForget } from "../api/client";
import { myJudgmentsQuery, nextComparisons, renewLease, unflag, unskip, voidJudgment } from "../api/queries";
import { ActiveTime } from "./activeTime";
import type { Outbox } from "./outbox";
import { Queue, type View } from "./queue";
import { openDesk, openHistory } from "./session";

/** A page that is only reloaded goes on with the same comparisons: for so long nobody else gets them. */
const COME_BACK_S = 30;

export function useQueue(slug: string, user: string, outbox: Outbox): [Queue, View] {
  const client = useQueryClient();
  const [queue] = useState(
    () =>
      new Queue(
        slug,
        {
          next: (wanted) => nextComparisons(slug, wanted),
          renew: renewLease,
          giveBack: (lease) => sendAndForget("DELETE", `/api/v1/leases/${lease}?after_s=${COME_BACK_S}`),
          takeBack: async (judgment) => (await voidJudgment(judgment)).comparison,
          unskip: async (comparison) => (await unskip(comparison)).comparison,
          unflag,
          latest: async () => (await client.fetchQuery({ ...myJudgmentsQuery(slug, 1), staleTime: 0 })).items[0]?.id ?? null,
        },
        outbox,
        openHistory(user, slug),
        openDesk(user, slug),
      ),
  );
  // Leases are held exactly while this page is open.
  useEffect(() => {
    queue.start();
    const leave = () => queue.leave();
    const back = (event: PageTransitionEvent) => event.persisted && queue.start();
    const fill = () => void queue.fill();
    window.addEventListener("pagehide", leave);
    window.addEventListener("pageshow", back);
    window.addEventListener("online", fill);
    return () => {
      window.removeEventListener("pagehide", leave);
      window.removeEventListener("pageshow", back);
      window.removeEventListener("online", fill);
      queue.leave();
    };
  }, [queue]);
  return [queue, useSyncExternalStore(queue.subscribe, queue.get)];
}

/** Counts the time for which somebody is really there, and tells the queue so. */
export function useAttention(queue: Queue): ActiveTime {
  const [active] = useState(() => new ActiveTime(Date.now()));
  useEffect(() => {
    const sign = () => {
      active.sign(Date.now());
      queue.sign();
    };
    const visibility = () => active.visibility(document.visibilityState === "visible", Date.now());
    const events = ["keydown", "pointermove", "wheel", "touchmove", "pointerdown"] as const;
    for (const event of events) window.addEventListener(event, sign, { passive: true });
    document.addEventListener("visibilitychange", visibility);
    return () => {
      for (const event of events) window.removeEventListener(event, sign);
      document.removeEventListener("visibilitychange", visibility);
    };
  }, [active, queue]);
  return active;
}
