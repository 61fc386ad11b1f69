/** Making a reward set: from which ratings, on which scale, and from whose judgments. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { annotatorsQuery, createRewardSet, projectQuery, rewardSetsQuery } from "../api/queries";
import type { NewRewardSet as Body } from "../api/types";
import { count, percent } from "../format";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Field, Segments } from "./Field";
import { ErrorNote } from "./Status";
import { useAction } from "./useAction";

type Method = NonNullable<Body["method"]>;
type Normalisation = NonNullable<Body["normalisation"]>;

export const NORMALISATIONS: Record<string, string> = {
  centred_global: "centred in each prompt, one scale for all",
  linear_global: "one scale for all, not centred",
  prompt_z: "deviation 1 in each prompt",
  prompt_min_max: "0 to 1 in each prompt",
  logistic: "chance of being preferred to an average answer",
};

const METHOD_HINTS: Record<Method, string> = {
  elo: "The live numbers. They depend a little on the order of judgments.",
  bradley_terry: "All judgments at once, with an error for each rating; few judgments give small rewards. The best choice for most sets.",
  crowd_bradley_terry: "The same, and careful annotators count more than those who guess. Needs half of the judgments from people with 30 or more, and 4 in the mean prompt.",
};

export function NewRewardSet({ slug, onClose }: { slug: string; onClose: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const people = useQuery(annotatorsQuery(slug)).data?.items ?? [];
  const version = useQuery(projectQuery(slug)).data?.guidelines_version ?? 1;
  const [name, setName] = useState("");
  const [method, setMethod] = useState<Method>("bradley_terry");
  const [normalisation, setNormalisation] = useState<Normalisation>("centred_global");
  const [without, setWithout] = useState<readonly string[]>([]);
  const [before, setBefore] = useState("");
  const [versions, setVersions] = useState<readonly number[]>([]);
  const [gold, setGold] = useState("");
  const action = useAction();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void action.run(async () => {
      const made = await createRewardSet(slug, {
        name: name.trim() || null,
        method,
        normalisation,
        question: {
          without_annotators: [...without],
          guidelines_versions: [...versions],
          before: before === "" ? null : new Date(before).toISOString(),
          min_gold_share: gold === "" ? null : Number(gold) / 100,
        },
      });
      await client.invalidateQueries({ queryKey: rewardSetsQuery(slug).queryKey });
      await navigate({ to: "/projects/$project/rewards/$set", params: { project: slug, set: made.id } });
    });
  };
  const toggled = <T,>(all: readonly T[], one: T): readonly T[] => (all.includes(one) ? all.filter((other) => other !== one) : [...all, one]);
  return (
    <Dialog title="New reward set" onClose={onClose} footer={<><Button look="quiet" onClick={onClose}>Cancel</Button><Button type="submit" form="new-reward-set" look="primary" busy={action.busy}>Freeze the rewards</Button></>}>
      <form id="new-reward-set" onSubmit={submit} className="grid gap-4">
        <ErrorNote error={action.problem} />
        <Field label="Name" optional>{(ids) => <input {...ids} className="field" data-focus value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <div>
          <p className="mb-1 font-medium">Ratings from</p>
          <Segments label="Ratings from" value={method} onChange={setMethod} options={[{ value: "bradley_terry", label: "Bradley-Terry" }, { value: "crowd_bradley_terry", label: "Annotators weighed" }, { value: "elo", label: "Elo" }]} />
          <p className="mt-1 text-sm text-faint">{METHOD_HINTS[method]}</p>
        </div>
        <Field label="Scale" hint="Centred with one scale keeps the size of differences: a prompt whose answers hardly differ does not count as much as one whose answers do.">
          {(ids) => (
            <select {...ids} className="field" value={normalisation} onChange={(event) => setNormalisation(event.target.value as Normalisation)}>
              {Object.entries(NORMALISATIONS).map(([value, label]) => <option key={value} value={value}>{label[0]!.toUpperCase() + label.slice(1)}</option>)}
            </select>
          )}
        </Field>
        <details className="rounded-md border border-line px-3 py-2">
          <summary className="cursor-pointer font-medium">Which judgments</summary>
          <div className="mt-3 grid gap-4">
            {people.length > 0 && (
              <fieldset>
                <legend className="mb-1 font-medium">As if these had never judged</legend>
                <div className="max-h-40 overflow-y-auto">
                  {people.map((person) => (
                    <label key={person.id} className="flex min-h-8 items-center gap-2">
                      <input type="checkbox" checked={without.includes(person.id)} onChange={() => setWithout(toggled(without, person.id))} />
                      <span className="min-w-0 flex-1 truncate">{person.name}</span>
                      <span className="text-sm text-faint">{count(person.judgments)}{person.majority_agreement !== null && ` · agrees ${percent(person.majority_agreement)}`}</span>
                    </label>
                  ))}
                </div>
              </fieldset>
            )}
            <Field label="Made before" optional>{(ids) => <input {...ids} type="datetime-local" className="field" value={before} onChange={(event) => setBefore(event.target.value)} />}</Field>
            {version > 1 && (
              <fieldset>
                <legend className="mb-1 font-medium">Made under these versions of the guidelines</legend>
                <div className="flex flex-wrap gap-x-4">
                  {Array.from({ length: version }, (_, i) => i + 1).map((one) => (
                    <label key={one} className="flex min-h-8 items-center gap-2"><input type="checkbox" checked={versions.includes(one)} onChange={() => setVersions(toggled(versions, one))} /> {one}</label>
                  ))}
                </div>
              </fieldset>
            )}
            <Field label="Annotators with at least so many gold comparisons right, in %" optional>{(ids) => <input {...ids} type="number" min={0} max={100} step={1} className="field" value={gold} onChange={(event) => setGold(event.target.value)} />}</Field>
          </div>
        </details>
      </form>
    </Dialog>
  );
}
