/** What a judgment said: the models (or the letters of the answers) from best to worst. */
import { answerName } from "../annotate/answers";

interface VerdictProps {
  /** What stands for each answer, in the order in which they were shown. */
  names: readonly string[];
  /** The same names in full, where they are shortened. */
  titles?: readonly string[];
  ranks: readonly number[] | null | undefined;
  strength?: number | null;
}

export function letters(size: number): string[] {
  return Array.from({ length: size }, (_, place) => answerName(place, size));
}

export function Verdict({ names, titles, ranks, strength }: VerdictProps) {
  if (!ranks) return <>None acceptable</>;
  const places = [...new Set(ranks)].sort((a, b) => a - b);
  return (
    <span className="[overflow-wrap:anywhere]">
      {places.length === 1 && <span className="text-faint">Tie: </span>}
      {places.map((rank, at) => (
        <span key={rank}>
          {at > 0 && <span className="text-faint"> over </span>}
          <span className={at === 0 && places.length > 1 ? "font-medium" : ""}>
            {names.flatMap((name, i) => (ranks[i] === rank ? [<span key={i} title={titles?.[i]}>{name}</span>] : [])).flatMap((name, i) => (i === 0 ? [name] : [" = ", name]))}
          </span>
        </span>
      ))}
      {strength ? <span className="text-faint"> · strength {strength}</span> : null}
    </span>
  );
}

/** The same in a plain sentence, to be announced. */
export function spokenVerdict(ranks: readonly number[] | null, size: number): string {
  if (!ranks) return "None acceptable";
  const names = letters(size);
  const places = [...new Set(ranks)].sort((a, b) => a - b);
  return `${places.length === 1 ? "Tie: " : ""}${places.map((rank) => names.filter((_, i) => ranks[i] === rank).join(" = ")).join(" over ")}`;
}
