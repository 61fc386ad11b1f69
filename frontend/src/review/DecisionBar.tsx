/** The buttons of an admin's decision, with their keys: one for a pair, digits for a ranking. */
import { keyLabel, type KeyMap } from "../annotate/keys";
import { type Order, placed, rankOf } from "../annotate/ranking";
import type { Protocol } from "../api/types";
import { Button } from "../components/Button";
import { answerName } from "../annotate/answers";

interface BarProps {
  size: number;
  protocol: Protocol;
  keys: KeyMap | null;
  busy: boolean;
  order: Order;
  tied: boolean;
  onDecide: (ranks: number[] | null) => void;
  onPlace: (place: number) => void;
  onTie: () => void;
  onRest: () => void;
  onBack: () => void;
}

function Key({ name }: { name: string | undefined }) {
  return name ? <span className="kbd max-sm:hidden">{keyLabel(name)}</span> : null;
}

export function DecisionBar(props: BarProps) {
  const { size, protocol, keys, busy, order, onDecide } = props;
  return (
    <div role="group" aria-label="Decision" className="flex flex-wrap items-center gap-2">
      {size === 2 ? (
        <>
          <Button busy={busy} onClick={() => onDecide([1, 2])}>A is better <Key name={keys?.left} /></Button>
          {protocol.allow_tie && <Button busy={busy} onClick={() => onDecide([1, 1])}>Tie <Key name={keys?.tie} /></Button>}
          <Button busy={busy} onClick={() => onDecide([2, 1])}>B is better <Key name={keys?.right} /></Button>
        </>
      ) : (
        <>
          {Array.from({ length: size }, (_, place) => (
            <Button key={place} busy={busy} disabled={rankOf(order, place) !== null} aria-label={`Place answer ${answerName(place, size)} next`} onClick={() => props.onPlace(place)}>
              {answerName(place, size)}
            </Button>
          ))}
          <span aria-live="polite" className="min-w-20 px-1 text-soft">
            {placed(order) === 0 ? "Best first" : `${order.map((group) => group.map((place) => answerName(place, size)).join(" = ")).join(" > ")} ${props.tied ? "= ?" : "> ?"}`}
          </span>
          {protocol.allow_tie && <Button look="quiet" aria-pressed={props.tied} disabled={placed(order) === 0} onClick={props.onTie}>Tie with last <Key name={keys?.tie} /></Button>}
          {protocol.allow_tie && <Button look="quiet" disabled={placed(order) === 0} onClick={props.onRest}>Rest equal <Key name={keys ? "Enter" : undefined} /></Button>}
          <Button look="quiet" icon="undo" disabled={placed(order) === 0} onClick={props.onBack}>Take back</Button>
        </>
      )}
      {protocol.allow_none_acceptable && <Button look="quiet" busy={busy} onClick={() => onDecide(null)}>None acceptable <Key name={keys?.none} /></Button>}
    </div>
  );
}
