/** Further questions to the same answers, each with its definition on demand; all of them may be left out. */
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Aspect, Protocol } from "../api/types";
import { Icon } from "../components/Icon";
import { answerName } from "./answers";
import { aspectRanks, choiceOf } from "./aspects";

interface AspectsProps {
  protocol: Protocol;
  size: number;
  value: Record<string, number[]>;
  /** The one that the keyboard answers now. */
  at: number | null;
  onAt: (at: number | null) => void;
  onChange: (value: Record<string, number[]>) => void;
}

export function Aspects({ protocol, size, value, at, onAt, onChange }: AspectsProps) {
  const { t } = useTranslation("annotate");
  const [opened, setOpened] = useState<string | null>(null);
  const id = useId();
  const active = at === null ? null : (protocol.aspects[at] ?? null);
  const explained = active ?? protocol.aspects.find((aspect) => aspect.name === opened) ?? null;
  const choose = (aspect: Aspect, choice: string) => {
    const { [aspect.name]: before, ...others } = value;
    onChange(choiceOf(before) === choice ? others : { ...others, [aspect.name]: aspectRanks(choice, size) });
  };
  const places = Array.from({ length: size }, (_, place) => ({ choice: String(place), label: answerName(place, size) }));
  const same = { choice: "=", label: t("aspect.same") };
  const options = size === 2 ? [places[0]!, same, places[1]!] : [...places, same];
  return (
    <div className="min-w-0 basis-full short:shrink-0 short:basis-auto">
      <div className="flex items-center gap-x-5 gap-y-1.5 max-md:-my-1 max-md:overflow-x-auto max-md:p-1 md:flex-wrap">
      {protocol.aspects.map((aspect, place) => {
        const chosen = choiceOf(value[aspect.name]);
        return (
          <div key={aspect.name} role="group" aria-label={aspect.name} className={`flex shrink-0 items-center gap-1.5 rounded-md ${active === aspect ? "outline-2 outline-offset-3 outline-accent" : ""}`}>
            {aspect.definition ? (
              <button type="button" aria-expanded={explained === aspect} aria-controls={`${id}-definition`} onClick={() => (active ? onAt(place) : setOpened(opened === aspect.name ? null : aspect.name))} className="inline-flex min-h-8 items-center gap-1 text-sm text-soft hover:text-ink max-md:min-h-11">
                {aspect.name}
                <Icon name="down" size={12} className={explained === aspect ? "rotate-180" : ""} />
              </button>
            ) : (
              <span className="text-sm text-soft">{aspect.name}</span>
            )}
            <span className="inline-flex rounded-md border border-edge/60 bg-sunken p-0.5">
              {options.map((option) => (
                <button
                  key={option.choice}
                  type="button"
                  aria-pressed={chosen === option.choice}
                  aria-label={option === same ? t("aspect.sameName") : t("aspect.better", { answer: option.label })}
                  onClick={() => choose(aspect, option.choice)}
                  className={`min-h-8 min-w-8 rounded-[5px] px-2.5 max-md:min-h-11 max-md:min-w-11 ${chosen === option.choice ? "bg-accent font-medium text-on-accent" : "text-soft hover:text-ink"}`}
                >
                  {option.label}
                </button>
              ))}
            </span>
          </div>
        );
      })}
      </div>
      <p id={`${id}-definition`} className="mt-1.5 text-sm text-soft" hidden={explained === null}>
        {explained && <><strong className="font-medium text-ink">{explained.name}.</strong> <bdi>{explained.definition}</bdi> {active && <span className="text-faint">{t(size === 2 ? "aspect.keysPair" : "aspect.keysMany")}</span>}</>}
      </p>
    </div>
  );
}
