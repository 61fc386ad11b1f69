/** What a run's process wrote, its end in view while it grows. */
import { useEffect, useRef, useState } from "react";
import { runLog } from "../api/queries";
import type { LogLine, Run } from "../api/types";
import { Button } from "../components/Button";
import { Section } from "../components/Page";
import { ErrorNote } from "../components/Status";
import { useTail } from "../components/useTail";
import { clock } from "../format";

const LIVE_MS = 2_000;
const MOST_LINES = 2_000;

function join(before: readonly LogLine[], more: readonly LogLine[]): LogLine[] {
  return [...before, ...more].slice(-MOST_LINES);
}

export function RunLog({ run, live }: { run: Run; live: boolean }) {
  const { items, error } = useTail((after) => runLog(run.id, after), join, live, LIVE_MS);
  const box = useRef<HTMLDivElement>(null);
  const [follow, setFollow] = useState(true);
  useEffect(() => {
    const element = box.current;
    if (follow && element) element.scrollTop = element.scrollHeight;
  }, [items, follow]);
  return (
    <Section title="Log">
      <ErrorNote error={error} className="mb-2" />
      <div
        ref={box}
        tabIndex={0}
        role="log"
        aria-label="Log"
        aria-live="off"
        onScroll={(event) => {
          const element = event.currentTarget;
          setFollow(element.scrollHeight - element.scrollTop - element.clientHeight < 24);
        }}
        className="panel max-h-80 overflow-auto bg-sunken px-3 py-2 font-mono text-xs leading-5"
      >
        {items.length === 0 ? <p className="text-faint">{live ? "Nothing written yet." : "Its process wrote nothing."}</p> : items.map((line) => (
          <div key={line.id} className="whitespace-pre-wrap [overflow-wrap:anywhere]"><span className="text-faint select-none">{clock(new Date(line.at))} </span>{line.line}</div>
        ))}
      </div>
      {!follow && live && <Button look="quiet" className="mt-1 min-h-8" onClick={() => setFollow(true)}>Follow the end</Button>}
    </Section>
  );
}
