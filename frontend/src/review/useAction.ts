/** A button that asks the server for something: busy while it does, and the problem if it fails. */
import { useCallback, useState } from "react";
import { announce } from "../components/announcer";

export interface Action {
  busy: boolean;
  problem: unknown;
  /** Says `done` when it worked; true then. */
  run: (work: () => Promise<unknown>, done: string) => Promise<boolean>;
}

export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const run = useCallback(async (work: () => Promise<unknown>, done: string) => {
    setBusy(true);
    setProblem(null);
    try {
      await work();
      announce(done);
      return true;
    } catch (error) {
      setProblem(error);
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, problem, run };
}
