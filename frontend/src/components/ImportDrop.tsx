/** Drop a file, see what became of each line. */
import { useQueryClient } from "@tanstack/react-query";
import { type DragEvent, useId, useRef, useState } from "react";
import { importFile, projectChanged } from "../api/queries";
import type { ImportReport } from "../api/types";
import { count, plural } from "../format";
import { announce } from "./announcer";
import { Icon } from "./Icon";
import { TableFrame } from "./Page";
import { ErrorNote } from "./Status";
import { useAction } from "./useAction";

const FORMATS = [
  ["", "Guess the format"],
  ["prompts", "Prompts"],
  ["documents", "Documents to pretrain on"],
  ["demonstrations", "Demonstrations"],
  ["completions", "Prompts with completions"],
  ["pairs", "Preference pairs"],
  ["judgments", "Judgments"],
  ["hh-rlhf", "HH-RLHF"],
  ["trl", "TRL preferences"],
] as const;

export function ImportDrop({ slug }: { slug: string }) {
  const client = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const [format, setFormat] = useState("");
  const [over, setOver] = useState(false);
  const action = useAction();
  const [name, setName] = useState("");
  const [report, setReport] = useState<ImportReport | null>(null);

  const take = async (file: File | undefined) => {
    if (!file || action.busy) return;
    setName(file.name);
    setReport(null);
    announce(`Importing ${file.name}.`);
    await action.run(async () => {
      const done = await importFile(slug, file, format || null);
      setReport(done);
      announce(`${plural(done.read, "row")} read, ${count(done.rejected_total)} rejected.`);
      await projectChanged(client, slug);
    });
    if (input.current) input.current.value = "";
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0]);
  };

  return (
    <div className="grid gap-3">
      <div
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
        className={`flex flex-wrap items-center gap-x-4 gap-y-3 rounded-lg border-2 border-dashed px-5 py-5 ${over ? "border-accent bg-accent-wash" : "border-edge/60"}`}
      >
        <Icon name="upload" size={22} className="text-accent" />
        <div className="min-w-0 flex-1 basis-56">
          <p className="font-medium">
            {action.busy ? `Importing ${name} …` : <>Drop a file here, or <label htmlFor={id} className="link">choose one</label></>}
          </p>
          <p className="text-sm text-faint">JSONL, CSV or Parquet, also as .gz. A row that is there already is not made twice.</p>
          <input ref={input} id={id} type="file" aria-label="File to import" className="sr-only" accept=".jsonl,.json,.csv,.parquet,.gz,.txt" disabled={action.busy} onChange={(event) => void take(event.target.files?.[0])} />
        </div>
        <select aria-label="Format" className="field w-52" value={format} onChange={(event) => setFormat(event.target.value)}>
          {FORMATS.map(([value, label]) => <option key={value} value={value}>{label}</option>)}
        </select>
      </div>
      <ErrorNote error={action.problem} />
      {report && <Report name={name} report={report} />}
    </div>
  );
}

function Report({ name, report }: { name: string; report: ImportReport }) {
  const made = Object.entries(report.created).filter(([, number]) => number > 0);
  return (
    <div className="panel p-4" role="status">
      <p>
        <span className="font-medium">{name}</span> read as {report.format}: {plural(report.read, "row")},{" "}
        {made.length > 0 ? made.map(([what, number]) => `${count(number)} ${number === 1 ? what.replace(/s$/, "") : what}`).join(", ") + " new" : "nothing new"}
        {report.repeated > 0 && `, ${count(report.repeated)} there already`}.
      </p>
      {report.rejected_total > 0 && (
        <details className="mt-3" open>
          <summary className="font-medium text-danger">{plural(report.rejected_total, "row")} rejected</summary>
          <div className="mt-2">
            <TableFrame label="Rejected rows">
              <table className="table">
                <thead><tr><th className="number">Line</th><th>Why</th></tr></thead>
                <tbody>
                  {report.rejected.map((row, at) => (
                    <tr key={at}><td className="number">{count(row.line)}</td><td>{row.reason}</td></tr>
                  ))}
                </tbody>
              </table>
            </TableFrame>
            {report.rejected.length < report.rejected_total && <p className="mt-1 text-sm text-faint">The first {count(report.rejected.length)} are shown.</p>}
          </div>
        </details>
      )}
    </div>
  );
}
