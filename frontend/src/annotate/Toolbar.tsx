/** The thin line on top: how far, is it saved, and how the answers are shown. */
import { useQuery } from "@tanstack/react-query";
import { progressQuery } from "../api/queries";
import { IconButton } from "../components/Button";
import { Icon, type IconName } from "../components/Icon";
import { count } from "../format";
import type { Layout } from "../preferences";
import { keyLabel, type KeyMap } from "./keys";
import type { Snapshot } from "./outbox";
import type { Reading } from "./useReading";

interface ToolbarProps {
  slug: string;
  name: string | null;
  sent: Snapshot;
  onRetry: () => void;
  reading: Reading;
  diffPossible: boolean;
  onGuidelines: () => void;
  onHelp: () => void;
  keys: KeyMap | null;
}

const LAYOUTS: { layout: Layout; icon: IconName; label: string }[] = [
  { layout: "side", icon: "columns", label: "Side by side" },
  { layout: "stacked", icon: "rows", label: "Below each other" },
  { layout: "single", icon: "single", label: "One at a time" },
];

export function Toolbar(props: ToolbarProps) {
  const { keys, reading } = props;
  const tip = (label: string, key: string | undefined): string => (key ? `${label} (${keyLabel(key)})` : label);
  return (
    <div className="relative flex shrink-0 items-center gap-x-3 border-b border-line bg-page px-3 py-1 md:px-4">
      <Progress slug={props.slug} name={props.name} unsent={props.sent.waiting.filter((entry) => entry.what === "judgment" && entry.project === props.slug).length} />
      <SaveState sent={props.sent} onRetry={props.onRetry} />
      <div className="ml-auto flex items-center">
        <div role="group" aria-label="Layout" className="flex">
          {LAYOUTS.filter((one) => reading.wide || one.layout !== "side").map((one) => (
            <IconButton key={one.layout} icon={one.icon} label={one.label} title={tip(one.label, keys?.layout)} pressed={reading.layout === one.layout} onClick={() => reading.setLayout(one.layout)} className="max-sm:size-10" />
          ))}
        </div>
        <span className="mx-1.5 h-5 border-l border-line max-sm:hidden" />
        <IconButton icon="diff" label="Mark the words that differ" title={tip("Mark the words that differ", keys?.diff)} pressed={reading.diff} disabled={!props.diffPossible} onClick={reading.toggleDiff} className="max-sm:hidden" />
        <IconButton icon="plain" label="Plain text" title={tip("Plain text instead of Markdown", keys?.plain)} pressed={reading.plain} onClick={reading.togglePlain} className="max-sm:hidden" />
        <IconButton icon="book" label="Guidelines" title={tip("Guidelines", keys?.guidelines)} onClick={props.onGuidelines} className="max-sm:size-10" />
        <IconButton icon="keyboard" label="Keys" title={tip("Keys", keys?.help)} onClick={props.onHelp} className="max-md:hidden" />
      </div>
    </div>
  );
}

function Progress({ slug, name, unsent }: { slug: string; name: string | null; unsent: number }) {
  const { data } = useQuery({ ...progressQuery(slug), refetchInterval: 60_000 });
  const judged = data ? Math.min(data.wanted || Infinity, data.judgments + unsent) : 0;
  const share = data && data.wanted > 0 ? judged / data.wanted : 0;
  return (
    <>
      <p className="flex min-w-0 items-baseline gap-x-3 text-sm">
        <span className="truncate font-medium max-md:hidden">{name}</span>
        {data && (
          <span className="whitespace-nowrap text-faint">
            <span className="text-ink">{count(data.today + unsent)}</span> today
            <span className="max-md:hidden"> · {count(judged)}{data.wanted > 0 ? ` of ${count(data.wanted)}` : ""} in the project</span>
          </span>
        )}
      </p>
      <div
        className="absolute right-0 -bottom-px left-0 h-0.5"
        role="progressbar"
        aria-label="Judgments in this project"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-valuetext={data ? `${count(judged)} of ${count(data.wanted)}` : undefined}
      >
        <div className="h-full bg-accent transition-[width] duration-300" style={{ width: `${share * 100}%` }} />
      </div>
    </>
  );
}

function SaveState({ sent, onRetry }: { sent: Snapshot; onRetry: () => void }) {
  const waiting = sent.waiting.filter((entry) => entry.what === "judgment").length;
  const look = "inline-flex min-h-7 items-center gap-1.5 rounded-md px-2 text-sm whitespace-nowrap";
  if (sent.signedOut) {
    return (
      <a href={`/login?next=${encodeURIComponent(window.location.pathname)}`} className={`${look} bg-warn-wash text-warn underline`}>
        <Icon name="alert" size={14} /> Sign in again, {count(waiting)} kept
      </a>
    );
  }
  if (sent.trouble !== null) {
    return (
      <button type="button" onClick={onRetry} title={sent.trouble} className={`${look} bg-warn-wash text-warn`}>
        <Icon name="cloud" size={14} /> Offline, {count(waiting)} kept
      </button>
    );
  }
  return (
    <span className={`${look} text-faint`} data-testid="save-state">
      {waiting > 0 ? `Saving ${count(waiting)}` : <><Icon name="check" size={14} /> Saved</>}
    </span>
  );
}
