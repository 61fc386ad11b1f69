/** The thin line on top: how far, is it saved, and how the answers are shown. */
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { progressQuery } from "../api/queries";
import type { Stage } from "../api/types";
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
  stage: Stage | null;
  sent: Snapshot;
  onRetry: () => void;
  reading: Reading;
  diffPossible: boolean;
  onGuidelines: () => void;
  onHelp: () => void;
  keys: KeyMap | null;
}

const LAYOUTS: { layout: Layout; icon: IconName }[] = [
  { layout: "side", icon: "columns" },
  { layout: "stacked", icon: "rows" },
  { layout: "single", icon: "single" },
];

export function Toolbar(props: ToolbarProps) {
  const { t } = useTranslation("annotate");
  const { keys, reading } = props;
  const tip = (label: string, key: string | undefined): string => (key ? `${label} (${keyLabel(key)})` : label);
  return (
    <div className="relative flex shrink-0 items-center gap-x-3 border-b border-line bg-page px-3 py-1 md:px-4">
      {props.stage && (props.stage.name === "practice" || props.stage.name === "qualification") ? (
        <StageProgress name={props.name} stage={props.stage} />
      ) : (
        <Progress slug={props.slug} name={props.name} unsent={props.sent.waiting.filter((entry) => entry.what === "judgment" && entry.project === props.slug).length} />
      )}
      <SaveState sent={props.sent} onRetry={props.onRetry} />
      <div className="ml-auto flex items-center">
        <div role="group" aria-label={t("toolbar.layout")} className="flex">
          {LAYOUTS.filter((one) => reading.wide || one.layout !== "side").map((one) => (
            <IconButton key={one.layout} icon={one.icon} label={t(`layout.${one.layout}`)} title={tip(t(`layout.${one.layout}`), keys?.layout)} pressed={reading.layout === one.layout} onClick={() => reading.setLayout(one.layout)} className="max-md:size-11" />
          ))}
        </div>
        <span className="mx-1.5 h-5 border-l border-line max-sm:hidden" />
        <IconButton icon="diff" label={t("action.diff")} title={tip(t("action.diff"), keys?.diff)} pressed={reading.diff} disabled={!props.diffPossible} onClick={reading.toggleDiff} className="max-sm:hidden" />
        <IconButton icon="plain" label={t("toolbar.plain")} title={tip(t("action.plain"), keys?.plain)} pressed={reading.plain} onClick={reading.togglePlain} className="max-sm:hidden" />
        <IconButton icon="book" label={t("guidelines.title")} title={tip(t("guidelines.title"), keys?.guidelines)} onClick={props.onGuidelines} className="max-md:size-11" />
        <IconButton icon="keyboard" label={t("keys.title")} title={tip(t("keys.title"), keys?.help)} onClick={props.onHelp} className="max-md:hidden" />
      </div>
    </div>
  );
}

function Progress({ slug, name, unsent }: { slug: string; name: string | null; unsent: number }) {
  const { t } = useTranslation("annotate");
  const { data } = useQuery({ ...progressQuery(slug), refetchInterval: 60_000 });
  const judged = data ? Math.min(data.wanted || Infinity, data.judgments + unsent) : 0;
  const today = data ? data.today + unsent : 0;
  return (
    <>
      <p className="flex min-w-0 items-baseline gap-x-3 text-sm">
        <span className="truncate font-medium max-md:hidden">{name}</span>
        {data && (
          <span className="whitespace-nowrap text-faint">
            <span className="text-ink">{t("toolbar.today", { count: today, n: count(today) })}</span>
            <span className="max-md:hidden"> · {data.wanted > 0 ? t("toolbar.ofAll", { n: count(judged), all: count(data.wanted) }) : t("toolbar.inAll", { n: count(judged) })}</span>
          </span>
        )}
      </p>
      <Line label={t("toolbar.progress")} share={data && data.wanted > 0 ? judged / data.wanted : 0} text={data ? t("toolbar.of", { n: count(judged), all: count(data.wanted) }) : undefined} />
    </>
  );
}

/** Before the work: how many of the practice or qualification comparisons are done. */
function StageProgress({ name, stage }: { name: string | null; stage: Stage }) {
  const { t } = useTranslation("annotate");
  const practice = stage.name === "practice";
  return (
    <>
      <p className="flex min-w-0 items-baseline gap-x-3 text-sm" data-testid="stage">
        <span className="truncate font-medium max-lg:hidden">{name}</span>
        <span className="whitespace-nowrap">
          <strong className="font-medium text-accent">{practice ? t("stage.practice") : t("stage.qualification")}</strong> {t("toolbar.of", { n: count(Math.min(stage.of, stage.done + 1)), all: count(stage.of) })}
        </span>
        <span className="truncate text-faint max-lg:hidden">{practice ? t("stage.practiceHint") : t("stage.qualificationHint")}</span>
      </p>
      <Line label={practice ? t("stage.practice") : t("stage.qualification")} share={stage.of > 0 ? stage.done / stage.of : 0} text={t("toolbar.of", { n: count(stage.done), all: count(stage.of) })} />
    </>
  );
}

function Line({ label, share, text }: { label: string; share: number; text: string | undefined }) {
  return (
    <div className="absolute right-0 -bottom-px left-0 h-0.5" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)} aria-valuetext={text}>
      <div className="h-full bg-accent transition-[width] duration-300" style={{ width: `${share * 100}%` }} />
    </div>
  );
}

function SaveState({ sent, onRetry }: { sent: Snapshot; onRetry: () => void }) {
  const { t } = useTranslation("annotate");
  const waiting = sent.waiting.filter((entry) => entry.what === "judgment").length;
  const look = "inline-flex min-h-7 items-center gap-1.5 rounded-md px-2 text-sm whitespace-nowrap max-md:min-h-11";
  if (sent.signedOut) {
    return (
      <a href={`/login?next=${encodeURIComponent(window.location.pathname)}`} className={`${look} bg-warn-wash text-warn underline`}>
        <Icon name="alert" size={14} /> {t("save.signIn", { count: waiting, n: count(waiting) })}
      </a>
    );
  }
  if (sent.trouble !== null) {
    return (
      <button type="button" onClick={onRetry} title={sent.trouble} className={`${look} bg-warn-wash text-warn`}>
        <Icon name="cloud" size={14} /> {t("save.offline", { count: waiting, n: count(waiting) })}
      </button>
    );
  }
  return (
    <span className={`${look} text-faint`} data-testid="save-state">
      {waiting > 0 ? t("save.saving", { count: waiting, n: count(waiting) }) : <><Icon name="check" size={14} /> {t("save.saved")}</>}
      {sent.refused.length > 0 && <span className="rounded-md bg-danger-wash px-1.5 text-danger">{t("save.refused", { count: sent.refused.length, n: count(sent.refused.length) })}</span>}
    </span>
  );
}
