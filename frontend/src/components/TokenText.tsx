/** The tokens of a text coloured by a number: green above zero, ochre below, stronger the further out. All numbers of a
 * token are read by pointing at it, or with the arrow keys. */
import { type KeyboardEvent, useState } from "react";
import { figure } from "../format";

type Token = Readonly<Record<string, unknown>>;

export const TOKEN_NUMBERS = {
  kl: { name: "KL", says: "log-probability less that of the reference, in nats: green where the policy now says it more readily" },
  value: { name: "Value", says: "the score that the critic expects before this token" },
  advantage: { name: "Advantage", says: "how much better than expected the answer went on: green tokens become likelier, ochre ones less likely" },
} as const;
export type TokenNumber = keyof typeof TOKEN_NUMBERS;

function numberOf(token: Token, name: string): number | null {
  return typeof token[name] === "number" ? token[name] : null;
}

/** In words: the token, and each number known of it. */
function told(token: Token): string {
  const numbers = Object.entries(TOKEN_NUMBERS).flatMap(([key, { name }]) => {
    const value = numberOf(token, key);
    return value === null ? [] : [`${name} ${figure(value)}`];
  });
  return `“${String(token["text"] ?? "")}” ${numbers.join(", ")}`;
}

export function TokenText({ tokens, by }: { tokens: readonly Token[]; by: TokenNumber }) {
  const [at, setAt] = useState<number | null>(null);
  const most = Math.max(1e-9, ...tokens.map((token) => Math.abs(numberOf(token, by) ?? 0)));
  const end = tokens.length - 1;
  const onKey = (event: KeyboardEvent): void => {
    const from = at ?? -1;
    const to = { ArrowLeft: from - 1, ArrowUp: from - 1, ArrowRight: from + 1, ArrowDown: from + 1, Home: 0, End: end }[event.key];
    if (event.key === "Escape") setAt(null);
    if (to === undefined) return;
    event.preventDefault();
    setAt(Math.max(0, Math.min(end, to)));
  };
  return (
    <>
      <p className="mb-2 text-xs text-faint">
        <span className="rounded-sm bg-warn/45 px-1.5 text-ink">−{figure(most)}</span> 0 <span className="rounded-sm bg-accent/45 px-1.5 text-ink">+{figure(most)}</span>
        <span className="ml-2">{TOKEN_NUMBERS[by].says}</span>
      </p>
      <div
        className="plain rounded-sm"
        role="slider"
        tabIndex={0}
        aria-label="Tokens"
        aria-valuemin={0}
        aria-valuemax={end}
        aria-valuenow={at ?? 0}
        aria-valuetext={at === null ? "arrow keys read the numbers of each token" : told(tokens[at]!)}
        onKeyDown={onKey}
        onPointerLeave={() => setAt(null)}
        onBlur={() => setAt(null)}
      >
        {tokens.map((token, place) => {
          const value = numberOf(token, by);
          const strength = value === null ? 0 : Math.round((Math.abs(value) / most) * 45);
          return (
            <span
              key={place}
              onPointerEnter={() => setAt(place)}
              onPointerDown={() => setAt(place)}
              className={`rounded-[2px] ${place === at ? "outline-2 outline-ink" : ""}`}
              style={value === null ? undefined : { background: `color-mix(in srgb, var(--color-${value < 0 ? "warn" : "accent"}) ${strength}%, transparent)` }}
            >
              {String(token["text"] ?? "")}
            </span>
          );
        })}
      </div>
      <p className="mt-2 min-h-5 text-sm text-soft" aria-hidden="true">{at === null ? <span className="text-faint">Point at a token, or use the arrow keys.</span> : told(tokens[at]!)}</p>
    </>
  );
}
