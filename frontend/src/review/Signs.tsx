/** What about somebody's judgments wants a look: as a few words, or with the figures. Nobody is dropped by it. */
import type { Sign } from "../api/types";
import { Icon } from "../components/Icon";

const WORDS: Record<Sign["name"], string> = {
  chance: "near chance",
  contrary: "contrary",
  lean: "leans",
  fast: "fast",
  one_answer: "one answer",
};

export function SignBadges({ signs }: { signs: readonly Sign[] }) {
  return (
    <span className="flex flex-wrap gap-1">
      {signs.map((sign) => (
        <span key={sign.name} title={sign.sentence} className="rounded-sm bg-warn-wash px-1.5 text-xs font-medium whitespace-nowrap text-warn">{WORDS[sign.name]}</span>
      ))}
    </span>
  );
}

export function SignSentences({ signs }: { signs: readonly Sign[] }) {
  return (
    <ul className="grid gap-1.5">
      {signs.map((sign) => (
        <li key={sign.name} className="flex items-baseline gap-2 text-pretty">
          <Icon name="alert" size={14} className="translate-y-0.5 text-warn" />
          <span className="max-w-[90ch]">{sign.sentence}</span>
        </li>
      ))}
    </ul>
  );
}
