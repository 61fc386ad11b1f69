/** Set all judgments of one person in this project aside, with a reason; they can be restored. */
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { fieldErrors } from "../api/client";
import { projectChanged } from "../api/queries";
import { voidAll } from "../api/quality";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { Field } from "../components/Field";
import { ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";
import { plural } from "../format";

export function VoidAll({ slug, person, onClose }: { slug: string; person: { id: string; name: string; judgments: number }; onClose: () => void }) {
  const client = useQueryClient();
  const action = useAction();
  const [reason, setReason] = useState("");
  const [missing, setMissing] = useState(false);
  const form = useId();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setMissing(reason.trim() === "");
    if (reason.trim() === "") return;
    const done = await action.run(async () => {
      await voidAll(slug, { annotator: person.id, reason: reason.trim() });
      await projectChanged(client, slug);
    }, `The judgments of ${person.name} are set aside.`);
    if (done) onClose();
  };
  return (
    <Dialog title={`Set aside all judgments of ${person.name}`} onClose={onClose} footer={<><Button look="quiet" onClick={onClose}>Keep them</Button><Button look="danger" type="submit" form={form} busy={action.busy}>Set {plural(person.judgments, "judgment")} aside</Button></>}>
      <form id={form} noValidate onSubmit={(event) => void submit(event)} className="grid gap-4">
        <ErrorNote error={action.problem} />
        <p className="text-soft">They stay on record but count no more: ratings are computed again without them, their places are free for others. Reward sets that are frozen keep them. You can restore all of them at any time.</p>
        <Field label="Reason" hint="Kept with the judgments." error={missing ? "Say why: whoever restores or audits this will ask." : fieldErrors(action.problem)["reason"]}>
          {(ids) => <textarea {...ids} data-focus className="field min-h-20" maxLength={2000} value={reason} onChange={(event) => setReason(event.target.value)} placeholder="Always chose the longer answer, in two seconds each." />}
        </Field>
      </form>
    </Dialog>
  );
}
