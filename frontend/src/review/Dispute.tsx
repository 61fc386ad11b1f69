/** One disagreement: the answers as annotators saw them, everybody's verdict, and the admin's own. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { actionOf, isTyping, keyLabel, plainKey } from "../annotate/keys";
import { type Order, put, ranks as ranksOf, takeBack } from "../annotate/ranking";
import { judgmentQuery } from "../api/quality";
import { promptQuery } from "../api/queries";
import type { Disagreement, Protocol } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Conversation } from "../components/Conversation";
import { Check } from "../components/Field";
import { Loaded } from "../components/Status";
import { keyMap, usePreferences } from "../preferences";
import { Answers } from "./Answers";
import { DecisionBar } from "./DecisionBar";
import type { Told } from "./RankPicker";
import { letters, spokenVerdict, Verdict } from "./Verdict";

interface DisputeProps {
  slug: string;
  dispute: Disagreement;
  protocol: Protocol;
  busy: boolean;
  onGo: (step: 1 | -1) => void;
  onDecide: (told: Told, comment: string, setAside: boolean, said: string) => void;
  onUndo: (() => void) | null;
}

export function Dispute({ slug, dispute, protocol, busy, onGo, onDecide, onUndo }: DisputeProps) {
  const prompt = useQuery(promptQuery(slug, dispute.prompt.id));
  const preferences = usePreferences();
  const keys = preferences.singleKeys ? keyMap(preferences) : null;
  const [models, setModels] = useState(false);
  const [comment, setComment] = useState("");
  const [setAside, setSetAside] = useState(false);
  const [order, setOrder] = useState<Order>([]);
  const [tied, setTied] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const size = dispute.completions.length;
  const rules = { allowTie: protocol.allow_tie, top: protocol.top };
  const decided = dispute.adjudicated !== null;

  const decide = (ranks: number[] | null) => {
    if (busy || decided) return;
    onDecide({ ranks, none_acceptable: ranks === null }, comment, setAside, spokenVerdict(ranks, size));
  };
  const place = (at: number) => {
    if (at >= size || busy || decided) return;
    const next = put(order, at, tied);
    setOrder(next);
    setTied(false);
    const done = ranksOf(next, size, rules);
    if (done) decide(done);
  };
  const rest = () => {
    const done = ranksOf(order, size, rules, true);
    if (done) decide(done);
  };

  const press = useEffectEvent((event: KeyboardEvent) => {
    if (!keys || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const key = plainKey(event);
    if (key === null) return;
    const action = actionOf(key, keys);
    const does = (work: () => void) => {
      event.preventDefault();
      work();
    };
    if (action === "undo" && onUndo) does(onUndo);
    else if (action === "down") does(() => onGo(1));
    else if (action === "up") does(() => onGo(-1));
    else if (action === "comment") does(() => field.current?.focus());
    else if (key === "m") does(() => setModels(!models));
    else if (key === "x") does(() => setSetAside(!setAside));
    else if (action === "none" && protocol.allow_none_acceptable) does(() => decide(null));
    else if (size === 2 && action === "left") does(() => decide([1, 2]));
    else if (size === 2 && action === "right") does(() => decide([2, 1]));
    else if (action === "tie" && protocol.allow_tie) does(() => (size === 2 ? decide([1, 1]) : setTied(!tied)));
    else if (size > 2 && /^[1-9]$/.test(key)) does(() => place(Number(key) - 1));
    else if (size > 2 && key === "Backspace") does(() => setOrder(takeBack(order)));
    else if (size > 2 && key === "Enter" && !(event.target instanceof HTMLButtonElement) && !(event.target instanceof HTMLAnchorElement)) does(rest);
  });
  useEffect(() => {
    const listen = (event: KeyboardEvent) => press(event);
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);

  return (
    <article aria-label="Disagreement">
      <Loaded query={prompt}>
        {(data) => {
          const texts = new Map(data.completions.map((one) => [one.id, one.text]));
          return (
            <>
              <section aria-label="Prompt" className="panel mb-3 max-h-44 overflow-y-auto p-4" tabIndex={0}><Conversation messages={data.messages} /></section>
              <div className="grid items-start gap-3 xl:grid-cols-[minmax(0,1fr)_19rem]">
              <Answers answers={dispute.completions.map((one) => ({ id: one.id, text: texts.get(one.id) ?? "", model: one.model.name }))} models={models} />
              <Said slug={slug} dispute={dispute} size={size} />
              </div>
            </>
          );
        }}
      </Loaded>
      <div className="bottom-0 z-10 -mx-4 mt-4 grid gap-2.5 border-t border-line bg-page px-4 py-3 sm:sticky sm:-mx-7 sm:px-7">
        {!decided && (
          <div className="flex flex-wrap items-center gap-x-5 gap-y-2">
            <textarea
              ref={field}
              aria-label="Why"
              rows={1}
              maxLength={10_000}
              value={comment}
              onChange={(event) => setComment(event.target.value)}
              onKeyDown={(event) => {
                if (event.nativeEvent.isComposing) return;
                if (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)) {
                  event.preventDefault();
                  event.currentTarget.blur();
                }
              }}
              placeholder={`Why (optional)${keys ? `: ${keyLabel(keys.comment)} to write, Enter when done` : ""}`}
              className="field max-h-28 min-w-0 flex-1 basis-60 resize-none [field-sizing:content]"
            />
            <Check label={<>Set aside what says otherwise{keys && <span className="kbd ml-1.5 max-sm:hidden">X</span>}</>} checked={setAside} onChange={setSetAside} />
          </div>
        )}
        <div className="flex flex-wrap items-center gap-2">
          {!decided && <DecisionBar size={size} protocol={protocol} keys={keys} busy={busy} order={order} tied={tied} onDecide={decide} onPlace={place} onTie={() => setTied(!tied)} onRest={rest} onBack={() => setOrder(takeBack(order))} />}
          <span className="ml-auto flex flex-wrap gap-2">
            {onUndo && <Button icon="undo" look="quiet" busy={busy} onClick={onUndo}>{decided ? "Take the decision back" : "Undo"}{keys && <span className="kbd max-sm:hidden">{keyLabel(keys.undo)}</span>}</Button>}
            <ButtonLink look="quiet" to="/projects/$project/gold/new" params={{ project: slug }} search={{ prompt: dispute.prompt.id, completions: dispute.completions.map((one) => one.id).join(",") }}>Make it gold</ButtonLink>
            <Button look="quiet" aria-pressed={models} onClick={() => setModels(!models)}>{models ? "Hide the models" : "Show the models"}{keys && <span className="kbd max-sm:hidden">M</span>}</Button>
          </span>
        </div>
      </div>
    </article>
  );
}

/** Everybody's verdict and comment. */
function Said({ slug, dispute, size }: { slug: string; dispute: Disagreement; size: number }) {
  const { adjudicated } = dispute;
  const decision = useQuery({ ...judgmentQuery(slug, adjudicated ?? ""), enabled: adjudicated !== null }).data;
  const places = decision?.completions.map((one) => dispute.completions.findIndex((other) => other.id === one.id));
  const names = letters(size);
  return (
    <section aria-label="What people said" className="panel min-w-0 xl:max-h-[29rem] xl:overflow-y-auto" tabIndex={0}>
      {decision && places && (
        <div className="border-b border-line bg-accent-wash px-4 py-2">
          <p className="flex flex-wrap items-baseline justify-between gap-x-3">
            <Link to="/projects/$project/judgments/$judgment" params={{ project: slug, judgment: decision.id }} className="link">Decided by {decision.annotator.name}</Link>
            <Verdict names={places.map((place) => names[place] ?? "?")} ranks={decision.ranks} />
          </p>
          {decision.comment && <p className="text-sm text-soft [overflow-wrap:anywhere]">{decision.comment}</p>}
        </div>
      )}
      <ul className="divide-y divide-line">
        {dispute.judgments.map((judgment) => (
          <li key={judgment.id} className="px-4 py-2">
            <p className="flex flex-wrap items-baseline justify-between gap-x-3">
              <Link to="/projects/$project/judgments/$judgment" params={{ project: slug, judgment: judgment.id }} className="link [overflow-wrap:anywhere]">{judgment.annotator.name}</Link>
              <span><Verdict names={names} ranks={judgment.ranks} strength={judgment.strength} /></span>
            </p>
            {judgment.comment && <p className="text-sm text-soft [overflow-wrap:anywhere]">{judgment.comment}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}
