/** The whole of a project on one page, with the annotator's screen beside it: for a new one and for its settings. */
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { fieldErrors } from "../api/client";
import { announce } from "../components/announcer";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Field } from "../components/Field";
import { ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";
import { plural } from "../format";
import { AskedFields } from "./AskedFields";
import { type Draft, mistakes } from "./draft";
import { GuidelinesField } from "./GuidelinesField";
import { HandingFields } from "./HandingFields";
import { ScreenPreview } from "./ScreenPreview";

interface FormProps {
  label: string;
  draft: Draft;
  onDraft: (draft: Draft) => void;
  onSave: () => Promise<void>;
  save: string;
  /** Nothing to save, nothing to throw away. */
  dirty: boolean;
  judged: boolean;
  guidelinesHint: string;
  guidelinesExtra?: ReactNode;
  /** What saving brings about. */
  consequences?: string[];
  onReset?: () => void;
  /** Stands above the first part. */
  before?: ReactNode;
  autoFocus?: boolean;
}

export function ProjectForm({ label, draft, onDraft, onSave, save, dirty, judged, guidelinesHint, guidelinesExtra, consequences = [], onReset, before, autoFocus }: FormProps) {
  const [tried, setTried] = useState(false);
  const action = useAction();
  const [preview, setPreview] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const wrong = mistakes(draft);
  const errors = { ...fieldErrors(action.problem), ...(tried ? wrong : {}) };
  const change = (part: Partial<Draft>) => onDraft({ ...draft, ...part });

  // What is wrong is told at its field, and the first such field gets the focus.
  const [refusals, setRefusals] = useState(0);
  useEffect(() => {
    if (refusals > 0) form.current?.querySelector<HTMLElement>("[aria-invalid='true']")?.focus();
  }, [refusals]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    const count = Object.keys(wrong).length;
    if (count > 0) {
      action.forget();
      setRefusals(refusals + 1);
      announce(`Not saved: ${plural(count, "field")} to correct.`);
      return;
    }
    if (await action.run(onSave)) setTried(false);
    else setRefusals(refusals + 1);
  };

  return (
    <form ref={form} noValidate aria-label={label} onSubmit={(event) => void submit(event)}>
      <div className="grid items-start gap-x-7 gap-y-6 xl:grid-cols-[minmax(0,31rem)_minmax(0,1fr)]">
        <div className="grid min-w-0 gap-6">
          {before}
          <Part title="The study">
            <Field label="Name" error={errors["name"]}>
              {(ids) => <input {...ids} className="field" autoFocus={autoFocus} autoComplete="off" value={draft.name} onChange={(event) => change({ name: event.target.value })} placeholder="Helpful answers, round 1" />}
            </Field>
            <GuidelinesField value={draft.guidelines} onChange={(guidelines) => change({ guidelines })} error={errors["guidelines"]} hint={guidelinesHint} extra={guidelinesExtra} />
          </Part>
          <Part title="What is asked">
            {errors["protocol"] && <p className="text-sm text-danger">{errors["protocol"]}</p>}
            <AskedFields value={draft.protocol} onChange={(protocol) => change({ protocol })} errors={errors} judged={judged} />
          </Part>
          <Part title="How comparisons are handed out">
            <HandingFields draft={draft} onChange={change} errors={errors} />
          </Part>
        </div>
        <div className="hidden min-w-0 xl:sticky xl:top-5 xl:flex xl:h-[calc(100dvh-18rem)]">
          <ScreenPreview draft={draft} />
        </div>
      </div>
      <div className="sticky bottom-0 z-10 -mx-4 mt-6 border-t border-line bg-page px-4 py-3 sm:-mx-7 sm:px-7">
        <ErrorNote error={action.problem} className="mb-3" />
        {dirty && consequences.length > 0 && (
          <ul aria-label="What saving brings about" className="mb-2.5 max-w-[85ch] list-disc pl-5 text-sm text-soft">
            {consequences.map((sentence) => <li key={sentence}>{sentence}</li>)}
          </ul>
        )}
        <div className="flex flex-wrap items-center gap-2">
          <Button type="submit" look="primary" busy={action.busy} disabled={!dirty}>{save}</Button>
          {onReset && <Button look="quiet" disabled={!dirty || action.busy} onClick={onReset}>Discard changes</Button>}
          <Button look="plain" className="ml-auto xl:hidden" onClick={() => setPreview(true)}>See the screen</Button>
        </div>
      </div>
      {preview && (
        <Dialog title="Preview" shape="wide" onClose={() => setPreview(false)}>
          <div className="flex h-[70dvh]"><ScreenPreview draft={draft} /></div>
        </Dialog>
      )}
    </form>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="panel grid gap-5 p-5">
      <h2 className="title text-lg">{title}</h2>
      {children}
    </section>
  );
}
