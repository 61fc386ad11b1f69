/** Lines between the toolbar and the comparison: what went wrong, what is kept, when to rest. */
import type { ReactNode } from "react";
import { Button } from "../components/Button";
import type { Outbox, Snapshot } from "./outbox";

interface NoticesProps {
  slug: string;
  outbox: Outbox;
  sent: Snapshot;
  late: boolean;
  rest: boolean;
  onRested: () => void;
}

export function Notices({ slug, outbox, sent, late, rest, onRested }: NoticesProps) {
  return (
    <>
      {sent.refused.filter((entry) => entry.project === slug).map((entry) => (
        <Notice key={entry.id} onClose={() => outbox.dismiss(entry.id)}>One judgment was not accepted: {entry.refused}</Notice>
      ))}
      {!sent.durable && <Notice>This browser stores nothing. Keep this window open until everything is saved.</Notice>}
      {late && <Notice>You had this comparison for long, so it may have gone to somebody else. Judge it all the same: your answer is kept, and counts if it is still needed.</Notice>}
      {rest && <Notice onClose={onRested}>You have judged for 25 minutes. A short break keeps your eye fresh; nothing is lost while you are away.</Notice>}
    </>
  );
}

function Notice({ children, onClose }: { children: ReactNode; onClose?: () => void }) {
  return (
    <div role="status" className="flex shrink-0 items-center gap-3 border-b border-line bg-warn-wash px-4 py-2 text-warn">
      <p className="min-w-0 flex-1">{children}</p>
      {onClose && <Button look="quiet" className="min-h-8 text-warn" onClick={onClose}>Close</Button>}
    </div>
  );
}
