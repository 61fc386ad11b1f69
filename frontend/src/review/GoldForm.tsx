/** What is right of these answers, why, and what the gold is for. */
import { type FormEvent, useEffect, useRef, useState } from "react";
import { fieldErrors } from "../api/client";
import type { GoldUse, Protocol } from "../api/types";
import { Button } from "../components/Button";
import { Field, Segments } from "../components/Field";
import { Section } from "../components/Page";
import { ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";
import { Answers, type ShownAnswer } from "./Answers";
import { USES } from "./goldUses";
import { dense, RankPicker, type Told } from "./RankPicker";

export interface GoldDraft {
  told: Told | null;
  use: GoldUse;
  explanation: string;
}

interface GoldFormProps {
  protocol: Protocol;
  answers: readonly ShownAnswer[];
  first: GoldDraft;
  save: string;
  onSave: (draft: { told: Told; use: GoldUse; explanation: string }) => Promise<void>;
  onPickAgain?: () => void;
  takesFocus?: boolean;
}

export function GoldForm({ protocol, answers, first, save, onSave, onPickAgain, takesFocus = false }: GoldFormProps) {
  const [draft, setDraft] = useState(first);
  const [missing, setMissing] = useState(false);
  const [models, setModels] = useState(false);
  const action = useAction();
  const form = useRef<HTMLFormElement>(null);
  // It takes the place of what was used before, and the keyboard goes on here.
  useEffect(() => {
    if (takesFocus) form.current?.focus();
  }, [takesFocus]);
  const errors = fieldErrors(action.problem);
  const wrong = missing && draft.told === null ? "Say which is right." : (errors["ranks"] ?? errors["none_acceptable"]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setMissing(true);
    const { told } = draft;
    if (told === null) return;
    void action.run(() => onSave({ told: { ...told, ranks: told.ranks && dense(told.ranks) }, use: draft.use, explanation: draft.explanation.trim() }), "Saved.");
  };
  return (
    <form ref={form} tabIndex={-1} className="outline-none" noValidate onSubmit={submit} aria-label="Gold">
      <Section
        title="The answers"
        actions={
          <span className="flex gap-2">
            <Button look="quiet" aria-pressed={models} onClick={() => setModels(!models)}>{models ? "Hide the models" : "Show the models"}</Button>
            {onPickAgain && <Button onClick={onPickAgain}>Pick others</Button>}
          </span>
        }
      >
        <Answers answers={answers} models={models} />
      </Section>
      <div className="panel mt-4 grid gap-5 p-5">
        <ErrorNote error={action.problem} />
        <div>
          <p className="mb-1 font-medium">What is right</p>
          <RankPicker size={answers.length} value={draft.told} onChange={(told) => setDraft({ ...draft, told })} allowNone={protocol.allow_none_acceptable} />
          {wrong && <p role="alert" className="mt-1 text-sm text-danger">{wrong}</p>}
        </div>
        <div>
          <p className="mb-1 font-medium">Use</p>
          <Segments label="Use" value={draft.use} onChange={(use) => setDraft({ ...draft, use })} options={(Object.keys(USES) as GoldUse[]).map((use) => ({ value: use, label: USES[use].name }))} />
          <p className="mt-1 text-sm text-faint">{USES[draft.use].hint}</p>
        </div>
        <Field label="Why" optional={draft.use !== "practice"} hint="Markdown. In practice the annotator reads this after answering." error={errors["explanation"]}>
          {(ids) => <textarea {...ids} className="field min-h-24 max-w-2xl" maxLength={10_000} value={draft.explanation} onChange={(event) => setDraft({ ...draft, explanation: event.target.value })} placeholder="B invents a date; A says that it is not known." />}
        </Field>
        <div><Button type="submit" look="primary" busy={action.busy}>{save}</Button></div>
      </div>
    </form>
  );
}
