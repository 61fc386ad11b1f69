/** A button or form that asks the server for something: busy while it does, and the problem if it fails. */
import { useCallback, useState } from "react";
import { announce } from "./announcer";

export interface Action {
  busy: boolean;
  problem: unknown;
  /** Says `done`, if there is something to say, when it worked; true then. */
  run: (work: () => Promise<unknown>, done?: string) => Promise<boolean>;
  /** The problem is out of date, though nothing was asked since. */
  forget: () => void;
}

export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const forget = useCallback(() => setProblem(null), []);
  const run = useCallback(async (work: () => Promise<unknown>, done?: string) => {
    setBusy(true);
    setProblem(null);
    try {
      await work();
      if (done) announce(done);
      return true;
    } catch (error) {
      setProblem(error);
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, problem, run, forget };
}
