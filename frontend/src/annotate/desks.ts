/**
 * Which windows of this browser show the same desk. They hold the same leases (the server knows one person only), so
 * the last one to close gives them back, and no other.
 */

/** A window that crashed has said nothing for so long; one in the background speaks every minute or so. */
const SILENT_MS = 5 * 60_000;

export interface Desk {
  /** This window is open; to be said again now and then. */
  sign(): void;
  /** This window closes. True when no other has the desk open. */
  leave(): boolean;
}

export const ONLY_DESK: Desk = { sign: () => undefined, leave: () => true };

export function desk(storage: Storage, user: string, project: string, now: () => number = Date.now): Desk {
  const prefix = `podium.desk.${user}.${project}.`;
  const mine = prefix + crypto.randomUUID();
  return {
    sign() {
      try {
        storage.setItem(mine, String(now()));
      } catch {
        // Storage is full or off: then every window takes itself for the only one.
      }
    },
    leave() {
      storage.removeItem(mine);
      const others = Array.from({ length: storage.length }, (_, at) => storage.key(at)).filter((key) => key?.startsWith(prefix)) as string[];
      const silent = others.filter((key) => now() - Number(storage.getItem(key)) > SILENT_MS);
      for (const key of silent) storage.removeItem(key);
      return others.length === silent.length;
    },
  };
}
