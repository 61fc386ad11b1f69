/** The tokens of a text coloured by a number: green above zero, ochre below, stronger the further out. */
import { figure } from "../format";

type Tokens = readonly Record<string, unknown>[];

export function TokenText({ tokens, by }: { tokens: Tokens; by: string }) {
  const number = (token: Record<string, unknown>): number | null => (typeof token[by] === "number" ? (token[by] as number) : null);
  const most = Math.max(1e-9, ...tokens.map((token) => Math.abs(number(token) ?? 0)));
  return (
    <>
      <p className="mb-2 flex items-center gap-3 text-xs text-faint">
        <span>{by}</span>
        <span className="rounded-sm bg-warn/45 px-1.5 text-ink">−{figure(most)}</span>0<span className="rounded-sm bg-accent/45 px-1.5 text-ink">+{figure(most)}</span>
      </p>
      <div className="plain">
        {tokens.map((token, at) => {
          const value = number(token);
          const strength = value === null ? 0 : Math.round((Math.abs(value) / most) * 45);
          return (
            <span
              key={at}
              title={value === null ? undefined : `${by} ${figure(value)}`}
              className="rounded-[2px]"
              style={value === null ? undefined : { background: `color-mix(in srgb, var(--color-${value < 0 ? "warn" : "accent"}) ${strength}%, transparent)` }}
            >
              {String(token["text"] ?? "")}
            </span>
          );
        })}
      </div>
    </>
  );
}
