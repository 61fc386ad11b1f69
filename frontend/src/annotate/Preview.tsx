/**
 * The annotator's screen in small, for whoever sets up a project: the same parts over sample texts, without a server.
 * Nothing in it can be pressed or reached by the keyboard.
 */
import type { Comparison, Protocol } from "../api/types";
import { ComparisonView } from "./ComparisonView";
import { NEW_DRAFT } from "./drafts";
import { Extras } from "./Extras";
import { DEFAULT_KEYS } from "./keys";
import { type Reading, useMedia, WIDE } from "./useReading";
import { VoteBar } from "./VoteBar";

export interface Sample {
  prompt: string;
  completions: readonly string[];
}

const SAMPLE: Sample = {
  prompt: "How long do I boil an egg so that the yolk stays soft?",
  completions: [
    "**Six minutes** for a medium egg that goes into boiling water, then a minute under the cold tap.\n\nFrom the fridge it needs a minute more.",
    "Boil it until it is done. Eggs are healthy and contain many vitamins.",
    "About 6 to 7 minutes.",
    "It depends on the size of the egg, the height above the sea and how soft you like it. Try 6 minutes first.",
    "Ten minutes.",
    "Put the egg into cold water, heat it up, and take it out three minutes after the water boils.",
    "You cannot: a soft yolk is never safe.",
    "4:30 for runny, 6:00 for soft, 9:00 for firm.",
    "Ask somebody who cooks.",
  ],
};

const nothing = () => undefined;

const READING: Reading = {
  layout: "side",
  wide: true,
  plain: false,
  diff: false,
  folded: false,
  setLayout: nothing,
  nextLayout: nothing,
  togglePlain: nothing,
  toggleDiff: nothing,
  fold: nothing,
  scroll: nothing,
};

function comparisonOf(protocol: Protocol, sample: Sample): Comparison {
  return {
    id: "preview",
    prompt: { id: "preview", messages: [{ role: "user", content: sample.prompt }] },
    completions: Array.from({ length: protocol.size }, (_, place) => ({
      id: `preview-${place}`,
      text: sample.completions[place % sample.completions.length] ?? "",
    })),
    lease: { id: "preview", expires_at: "" },
    protocol,
    guidelines_version: 1,
    practice: false,
  };
}

/** As wide as its place, and as high where that has a height. */
export function Preview({ protocol, sample = SAMPLE }: { protocol: Protocol; sample?: Sample }) {
  const { size } = protocol;
  const wide = useMedia(WIDE);
  return (
    <div inert aria-hidden="true" data-testid="annotator-preview" className="flex h-full flex-col overflow-hidden rounded-lg border border-line bg-page select-none">
      <ComparisonView comparison={comparisonOf(protocol, sample)} reading={{ ...READING, layout: wide ? "side" : "stacked" }} front={0} onFront={nothing} order={NEW_DRAFT.order} onRank={nothing} spans={NEW_DRAFT.spans} onEdit={nothing} onRemove={nothing} onSwipeJudge={null} />
      <Extras protocol={protocol} size={size} draft={NEW_DRAFT} onChange={nothing} keys={DEFAULT_KEYS} aspect={null} onAspect={nothing} commentRef={{ current: null }} onSend={nothing} onMark={nothing} picking={false} onIdeal={nothing} />
      <VoteBar
        protocol={protocol}
        size={size}
        keys={DEFAULT_KEYS}
        disabled={false}
        onAnswer={nothing}
        onSkip={nothing}
        onSkipBecause={nothing}
        onFlag={nothing}
        flagged={false}
        onUndo={nothing}
        onHelp={nothing}
        undoing={false}
        last={null}
        message={null}
        ranking={{ order: NEW_DRAFT.order, tied: false, onTie: nothing, onBack: nothing, onRest: nothing }}
      />
    </div>
  );
}
