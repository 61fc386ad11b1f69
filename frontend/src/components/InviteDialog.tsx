/** Somebody new by a link: who, for how long, and the link itself, shown once. */
import { type FormEvent, useState } from "react";
import { fieldErrors } from "../api/client";
import { invite } from "../api/queries";
import type { Invitation, Role } from "../api/types";
import { day } from "../format";
import { Button } from "./Button";
import { CopyText } from "./Copy";
import { Dialog } from "./Dialog";
import { Field, Segments } from "./Field";
import { ErrorNote } from "./Status";
import { useAction } from "./useAction";

export function InviteDialog({ onClose }: { onClose: () => void }) {
  const [role, setRole] = useState<Role>("annotator");
  const [made, setMade] = useState<Invitation | null>(null);
  const action = useAction();
  const errors = fieldErrors(action.problem);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    void action.run(async () => {
      setMade(await invite({ role, email: String(form.get("email")).trim() || null, days: Number(form.get("days")) }));
    }, "The invitation link is ready.");
  };
  if (made) {
    return (
      <Dialog title="Send this link" onClose={onClose} footer={<Button look="primary" onClick={onClose}>Done</Button>}>
        <CopyText text={new URL(made.url, window.location.href).href} label="Invitation link" />
        <p className="mt-3 text-soft">It makes one {made.role}, works until {day(new Date(made.expires_at))}, and is shown only now.</p>
      </Dialog>
    );
  }
  return (
    <Dialog title="Invite somebody" onClose={onClose} footer={<><Button look="quiet" onClick={onClose}>Cancel</Button><Button type="submit" form="invite" look="primary" busy={action.busy}>Make the link</Button></>}>
      <form id="invite" onSubmit={submit} className="grid gap-4">
        <ErrorNote error={action.problem} />
        <div>
          <p className="mb-1 font-medium">As</p>
          <Segments label="Role" value={role} onChange={setRole} options={[{ value: "annotator", label: "Annotator" }, { value: "admin", label: "Admin" }]} />
        </div>
        <Field label="Email" optional hint="Then only this address can use the link." error={errors["email"]}>{(ids) => <input {...ids} name="email" type="email" className="field" />}</Field>
        <Field label="Works for (days)" error={errors["days"]}>{(ids) => <input {...ids} name="days" type="number" min={1} max={90} defaultValue={7} required className="field w-28" />}</Field>
      </form>
    </Dialog>
  );
}
