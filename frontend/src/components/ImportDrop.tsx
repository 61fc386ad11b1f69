/** Drop files, see how far they are and what became of each line. */
import { useQueryClient } from "@tanstack/react-query";
import { type DragEvent, useId, useRef, useState } from "react";
import { Problem } from "../api/client";
import { projectChanged } from "../api/queries";
import type { ImportReport } from "../api/types";
import { importFile, type Progress } from "../api/upload";
import { bytes, count, percent, plural } from "../format";
import { announce } from "./announcer";
import { Button } from "./Button";
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
  ["trl", "TRL preferences"],
  ["unpaired", "Labelled answers (KTO)"],
  ["arena", "Battles of an arena"],
  ["hh-rlhf", "HH-RLHF"],
  ["llmfao", "LLMFAO study"],
] as const;

export function ImportDrop({ slug }: { slug: string }) {
  const client = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const [format, setFormat] = useState("");
  const [over, setOver] = useState(false);
  const action = useAction();
  const [sending, setSending] = useState<Sending | null>(null);
  const [reports, setReports] = useState<{ name: string; report: ImportReport }[]>([]);
  const stopping = useRef<AbortController | null>(null);
  /** What a stop or a problem left over, to be sent again by one click. */
  const [left, setLeft] = useState<{ files: File[]; stopped: boolean } | null>(null);

  /** One file after the other: the order of judgments is that of the files. */
  const take = async (files: File[], goingOn = false) => {
    if (files.length === 0 || action.busy) return;
    if (!goingOn) setReports([]);
    setLeft(null);
    let place = 0;
    const stop = (stopping.current = new AbortController());
    const done = await action.run(async () => {
      for (; place < files.length; place++) {
        const file = files[place]!;
        const tell = (progress: Progress | null) => setSending({ file, place, of: files.length, progress });
        tell(null);
        announce(`Importing ${file.name}.`);
        const report = await importFile(slug, file, format, tell, stop.signal);
        setReports((before) => [...before, { name: file.name, report }]);
        announce(`${plural(report.read, "row")} read, ${count(report.rejected_total)} rejected.`);
      }
    });
    setSending(null);
    if (!done) setLeft({ files: files.slice(place), stopped: stop.signal.aborted });
    if (input.current) input.current.value = "";
    await projectChanged(client, slug);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take([...event.dataTransfer.files]);
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
          {sending ? <Way sending={sending} /> : (
            <>
              <p className="font-medium">Drop files here, or <label htmlFor={id} className="link">choose some</label></p>
              <p className="text-sm text-faint">JSONL, CSV or Parquet, also as .gz, of any size. A row that is there already is not made twice.</p>
            </>
          )}
          <input ref={input} id={id} type="file" multiple aria-label="File to import" className="sr-only" accept=".jsonl,.json,.csv,.tsv,.parquet,.gz,.txt,.zip,.tar" disabled={action.busy} onChange={(event) => void take([...(event.target.files ?? [])])} />
        </div>
        {sending ? <Button onClick={() => stopping.current?.abort()}>Stop</Button> : (
        <select aria-label="Format" className="field w-52" value={format} onChange={(event) => setFormat(event.target.value)}>
          {FORMATS.map(([value, label]) => <option key={value} value={value}>{label}</option>)}
        </select>
        )}
      </div>
      {left?.stopped ? (
        <div role="status" className="panel flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3">
          <p className="min-w-0 flex-1 basis-60">{action.problem instanceof Error && action.problem.message}</p>
          <Button onClick={() => void take(left.files, true)}>Go on</Button>
        </div>
      ) : (
        <ErrorNote error={action.problem} {...(left && action.problem instanceof Problem && action.problem.status === 0 && { retry: () => void take(left.files, true) })} />
      )}
      {reports.map((one, at) => <Report key={at} name={one.name} report={one.report} />)}
    </div>
  );
}

interface Sending {
  file: File;
  place: number;
  of: number;
  progress: Progress | null;
}

/** On its way there first, then stored, then in the ratings; each is a bar from none to all. */
function Way({ sending: { file, place, of, progress } }: { sending: Sending }) {
  const there = progress !== null && progress.sent >= file.size;
  const rating = there && progress.to_rate > 0;
  const share = progress === null ? 0 : rating ? progress.rated / progress.to_rate : there ? progress.share : progress.sent / file.size;
  const text = rating
    ? `Judgments in the ratings: ${count(progress.rated)} of ${count(progress.to_rate)}`
    : there ? `${plural(progress.read, "row")} read, ${percent(share)} of the file` : `${bytes(progress?.sent ?? 0)} of ${bytes(file.size)} sent`;
  return (
    <>
      <p className="truncate font-medium">{file.name}{of > 1 && <span className="font-normal text-faint">, file {place + 1} of {of}</span>}</p>
      <div role="progressbar" aria-label={rating ? "Rated" : there ? "Stored" : "Sent"} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)} aria-valuetext={text} className="mt-1.5 h-1.5 overflow-hidden rounded-full bg-sunken">
        <div className="h-full bg-accent" style={{ width: `${share * 100}%` }} />
      </div>
      <p className="mt-1 text-sm text-faint tabular-nums">{text}</p>
    </>
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
