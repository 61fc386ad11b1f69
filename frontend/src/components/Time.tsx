/** A moment as “5 minutes ago”, exact in the tooltip, in the reader's time zone; it grows older on its own. */
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { ago, moment } from "../format";

const listeners = new Set<() => void>();
let minute = Date.now();
setInterval(() => {
  minute = Date.now();
  for (const listener of listeners) listener();
}, 30_000);

function useMinute(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => minute,
  );
}

export function Time({ at, none }: { at: string | null | undefined; none?: string }) {
  const { t } = useTranslation();
  const now = useMinute();
  if (!at) return <span className="text-faint">{none ?? t("never")}</span>;
  const time = new Date(at);
  return (
    <time dateTime={at} title={moment(time)} className="whitespace-nowrap">
      {ago(time, new Date(Math.max(now, Date.now())))}
    </time>
  );
}
