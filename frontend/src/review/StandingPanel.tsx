/** Whether somebody may do real work here: what the test said, and an admin's word over it. */
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { projectChanged } from "../api/queries";
import { decideStanding } from "../api/quality";
import type { Standing, StandingDecision } from "../api/types";
import { Button } from "../components/Button";
import { Field } from "../components/Field";
import { Section } from "../components/Page";
import { ErrorNote } from "../components/Status";
import { useAction } from "../components/useAction";
import { StandingBadge } from "./StandingBadge";

const SAID: Record<StandingDecision["state"], string> = {
  qualified: "qualified: real work is handed out",
  failed: "failed: nothing is handed out",
  retake: "may take the test again",
};

export function StandingPanel({ slug, person, standing }: { slug: string; person: { id: string; name: string }; standing: Standing | null }) {
  const client = useQueryClient();
  const action = useAction();
  const [note, setNote] = useState("");
  if (!standing) return null;
  const decide = (state: StandingDecision["state"]) =>
    void action.run(async () => {
      await decideStanding(slug, person.id, { state, note: note.trim() || null });
      setNote("");
      await projectChanged(client, slug);
    }, `${person.name}: ${SAID[state]}.`);
  return (
    <Section title="Standing" actions={<StandingBadge standing={standing} />}>
      <div className="panel grid gap-3 p-4">
        <ErrorNote error={action.problem} />
        <p className="text-soft">
          {standing.state === "qualified" ? "Real work is handed out to this person." : standing.state === "failed" ? "Not let in to real work: nothing is handed out." : "Still in practice or in the qualification test."} Your word stands over the test.
        </p>
        <Field label="Note" optional hint="Kept with the decision.">{(ids) => <input {...ids} className="field max-w-lg" maxLength={2000} value={note} onChange={(event) => setNote(event.target.value)} />}</Field>
        <div className="flex flex-wrap gap-2">
          {standing.state !== "qualified" && <Button busy={action.busy} onClick={() => decide("qualified")}>Qualify</Button>}
          {standing.state !== "learning" && <Button busy={action.busy} onClick={() => decide("retake")}>Another attempt</Button>}
          {standing.state !== "failed" && <Button look="danger" busy={action.busy} onClick={() => decide("failed")}>Stop the work</Button>}
        </div>
      </div>
    </Section>
  );
}
