/** Takes data out of a project: what, in which file format, in whose layout. */
import { useState } from "react";
import { exportUrl } from "../api/queries";
import { Field } from "./Field";
import { Icon } from "./Icon";

const WHAT = [["judgments", "Judgments"], ["preferences", "Preferences (chosen, rejected)"], ["completions", "Prompts and completions"], ["rewards", "Rewards"]] as const;

const LAYOUTS: Record<string, string[]> = { judgments: ["podium", "arena"], preferences: ["podium", "trl", "hh-rlhf"] };

export function ExportPanel({ slug }: { slug: string }) {
  const [what, setWhat] = useState("judgments");
  const [format, setFormat] = useState("jsonl");
  const [layout, setLayout] = useState("podium");
  const layouts = LAYOUTS[what] ?? ["podium"];
  const chosen = layouts.includes(layout) ? layout : "podium";
  return (
    <div className="panel flex flex-wrap items-end gap-3 p-4">
      <Field label="What" className="min-w-52 flex-1">
        {(ids) => <select {...ids} className="field" value={what} onChange={(event) => setWhat(event.target.value)}>{WHAT.map(([value, label]) => <option key={value} value={value}>{label}</option>)}</select>}
      </Field>
      <Field label="File" className="w-32">
        {(ids) => <select {...ids} className="field" value={format} onChange={(event) => setFormat(event.target.value)}><option value="jsonl">JSONL</option><option value="csv">CSV</option><option value="parquet">Parquet</option></select>}
      </Field>
      <Field label="Layout" className="w-36">
        {(ids) => <select {...ids} className="field" value={chosen} disabled={layouts.length === 1} onChange={(event) => setLayout(event.target.value)}>{layouts.map((one) => <option key={one}>{one}</option>)}</select>}
      </Field>
      <a href={exportUrl(slug, what, format, chosen)} download className="inline-flex min-h-9 items-center gap-1.5 rounded-md bg-accent px-3.5 font-medium text-on-accent hover:bg-accent-strong">
        <Icon name="download" /> Download
      </a>
    </div>
  );
}
