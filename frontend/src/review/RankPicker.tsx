/** Say which of these answers is best, second, ...; equal places are a tie. Radio buttons, so the keyboard knows its way. */
import { answerName } from "../annotate/answers";
import { Segments } from "../components/Field";

export interface Told {
  ranks: number[] | null;
  none_acceptable: boolean;
}

interface PickerProps {
  size: number;
  value: Told | null;
  onChange: (told: Told) => void;
  allowNone: boolean;
}

/** The same order without gaps: 1, 3, 3 becomes 1, 2, 2. */
export function dense(ranks: readonly number[]): number[] {
  const places = [...new Set(ranks)].sort((a, b) => a - b);
  return ranks.map((rank) => places.indexOf(rank) + 1);
}

const PAIRS: Record<string, number[]> = { a: [1, 2], tie: [1, 1], b: [2, 1] };

export function RankPicker({ size, value, onChange, allowNone }: PickerProps) {
  if (size === 2) {
    const chosen = value === null ? null : value.ranks === null ? "none" : (Object.keys(PAIRS).find((key) => PAIRS[key]!.join() === value.ranks!.join()) ?? null);
    return (
      <Segments
        label="The right verdict"
        value={chosen}
        onChange={(key) => onChange({ ranks: PAIRS[key] ?? null, none_acceptable: key === "none" })}
        options={[{ value: "a", label: "A is better" }, { value: "tie", label: "Tie" }, { value: "b", label: "B is better" }, ...(allowNone ? [{ value: "none", label: "None acceptable" }] : [])]}
        className="flex-wrap"
      />
    );
  }
  const ranks = value?.ranks ?? null;
  const places = Array.from({ length: size }, (_, at) => ({ value: String(at + 1), label: at + 1 }));
  return (
    <div className="grid gap-2">
      {places.map((one, place) => (
        <div key={one.value} className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span className="w-20 text-soft">Answer {answerName(place, size)}</span>
          <Segments
            label={`Place of answer ${answerName(place, size)}`}
            value={ranks === null ? null : String(ranks[place])}
            onChange={(rank) => onChange({ ranks: places.map((_, at) => (at === place ? Number(rank) : (ranks?.[at] ?? size))), none_acceptable: false })}
            options={places}
          />
        </div>
      ))}
      {allowNone && (
        <label className="flex items-center gap-2.5">
          <input type="checkbox" className="size-4" checked={value?.none_acceptable ?? false} onChange={(event) => onChange({ ranks: event.target.checked ? null : Array.from({ length: size }, () => 1), none_acceptable: event.target.checked })} />
          None is acceptable
        </label>
      )}
    </div>
  );
}
