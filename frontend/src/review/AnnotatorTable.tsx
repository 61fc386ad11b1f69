/** Everybody who works on a project, one line each; searched and sorted here, for all of them are there. */
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Worker } from "../api/types";
import { TableFrame } from "../components/Page";
import { Time } from "../components/Time";
import { count, duration, percent } from "../format";
import { SignBadges } from "./Signs";
import { StandingBadge } from "./StandingBadge";
import { Whisker } from "./Whisker";

const ORDERS = {
  busiest: { name: "Busiest first", of: (person: Worker) => -person.judgments },
  today: { name: "Most today first", of: (person: Worker) => -person.today },
  seen: { name: "Last seen first", of: (person: Worker) => -Date.parse(person.last_seen_at ?? person.last_judgment_at ?? "1970-01-01") },
  majority: { name: "Least with the majority first", of: (person: Worker) => person.majority_agreement ?? 2 },
  repeats: { name: "Least consistent first", of: (person: Worker) => person.repeat_consistency ?? 2 },
  gold: { name: "Least gold right first", of: (person: Worker) => person.gold_right_share ?? 2 },
  signs: { name: "To look at first", of: (person: Worker) => -person.signs.length },
  slope: { name: "Lowest slope first", of: (person: Worker) => person.slope ?? 9 },
  lean: { name: "Strongest lean first", of: (person: Worker) => (person.lean === null ? (person.left_share === null ? 1 : -Math.abs(person.left_share - 0.5)) : -1 - Math.abs(person.lean)) },
} as const;

type Order = keyof typeof ORDERS;

/** The scales of slope and lean: nearly everybody fits. */
const SLOPES = [-0.75, 2.75] as const;
const LEANS = [-1.5, 1.5] as const;

/** With fewer there is nothing to search. */
const MANY = 8;

export function AnnotatorTable({ slug, items }: { slug: string; items: readonly Worker[] }) {
  const [order, setOrder] = useState<Order>("busiest");
  const [q, setQ] = useState("");
  const wanted = q.trim().toLowerCase();
  const shown = items.filter((person) => person.name.toLowerCase().includes(wanted)).toSorted((one, other) => ORDERS[order].of(one) - ORDERS[order].of(other));
  return (
    <>
      {items.length > MANY && (
        <div className="mb-3 flex flex-wrap gap-3">
          <input type="search" aria-label="Search the annotators" placeholder="Search by name" className="field max-w-60" value={q} onChange={(event) => setQ(event.target.value)} />
          <select aria-label="Order" className="field w-auto" value={order} onChange={(event) => setOrder(event.target.value as Order)}>
            {(Object.keys(ORDERS) as Order[]).map((one) => <option key={one} value={one}>{ORDERS[one].name}</option>)}
          </select>
          <p className="self-center text-sm text-faint" aria-live="polite">{wanted ? `${count(shown.length)} of ${count(items.length)}` : `${count(items.length)} people`}</p>
        </div>
      )}
      <Table slug={slug} items={shown} />
    </>
  );
}

function share(value: number | null): string {
  return value === null ? "–" : percent(value);
}

function Table({ slug, items }: { slug: string; items: readonly Worker[] }) {
  const tested = items.some((person) => person.standing);
  const fitted = items.some((person) => person.slope !== null);
  const has = (person: Worker, ...names: string[]): boolean => person.signs.some((sign) => names.includes(sign.name));
  return (
    <TableFrame label="Annotators">
      <table className="table">
        <thead>
          <tr>
            <th>Annotator</th>
            {tested && <th>Standing</th>}
            <th className="number">Today</th>
            <th className="number">Judgments</th>
            <th className="number" title="Time with the page in view and in use; and the median of one judgment">Active time</th>
            {fitted && <th className="number" title="How sharply this person sees what the crowd sees: 1 is the average vote, 0 is guessing, below 0 is contrary">Slope</th>}
            {fitted && <th className="number" title="What being shown first is worth to this person, in log-odds; 0 is no lean">Lean</th>}
            <th className="number" title="How often this person says what most of the others say">With majority</th>
            <th className="number" title="How often the same verdict came again when the sides were swapped">Same again</th>
            <th className="number" title="Known answers given right">Gold right</th>
            {!fitted && <th className="number" title="How often the left answer wins; half is what to expect">Left preferred</th>}
            <th className="number" title="Skipped, and flagged">Skips, flags</th>
            <th>Last seen</th>
          </tr>
        </thead>
        <tbody>
          {items.map((person) => (
            <tr key={person.id}>
              <td className="min-w-28 font-medium">
                <Link to="/projects/$project/annotators/$annotator" params={{ project: slug, annotator: person.id }} className="link">{person.name}</Link>
                <SignBadges signs={person.signs} />
              </td>
              {tested && <td>{person.standing ? <StandingBadge standing={person.standing} /> : <span className="text-faint">–</span>}</td>}
              <td className="number">{count(person.today)}</td>
              <td className="number">{count(person.judgments)}</td>
              <td className="number">
                {person.active_ms_total === 0 ? "–" : duration(person.active_ms_total / 1000)}
                {person.median_active_ms !== null && <span className="block text-sm text-faint">{duration(person.median_active_ms / 1000)} each</span>}
              </td>
              {fitted && <td className="number"><Whisker label="Slope" value={person.slope} error={person.slope_error} span={SLOPES} expected={1} marked={has(person, "chance", "contrary")} /></td>}
              {fitted && <td className="number"><Whisker label="Lean" value={person.lean} error={person.lean_error} span={LEANS} expected={0} marked={has(person, "lean")} /></td>}
              <td className="number">{share(person.majority_agreement)}</td>
              <td className="number">{share(person.repeat_consistency)}</td>
              <td className="number">{share(person.gold_right_share)}{person.gold_answers > 0 && <span className="text-faint"> of {count(person.gold_answers)}</span>}</td>
              {!fitted && <td className="number">{share(person.left_share)}</td>}
              <td className="number">{count(person.skipped)}, {count(person.flagged)}</td>
              <td><Time at={person.last_seen_at ?? person.last_judgment_at} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </TableFrame>
  );
}
