/** Sends a file into a project. XMLHttpRequest, because `fetch` does not tell how much has been sent. */
import { plural } from "../format";
import { csrfHeader, Problem, toProblem } from "./client";
import type { ImportReport } from "./types";

export interface Progress {
  /** Bytes on their way there, of the size of the file. */
  sent: number;
  /** Rows that are stored, and which share of the file they are; none before the whole file is there. */
  read: number;
  share: number;
  /** Judgments in the ratings, of those that go there when the whole file is stored. */
  rated: number;
  to_rate: number;
}

/** The body goes as it is: the server guesses and streams, the browser does not read the file. */
export function importFile(slug: string, file: File, format: string, tell: (progress: Progress) => void, signal: AbortSignal): Promise<ImportReport> {
  const query = new URLSearchParams({ filename: file.name, ...(format === "" ? {} : { format }) });
  const request = new XMLHttpRequest();
  request.open("POST", `/api/v1/projects/${encodeURIComponent(slug)}/imports?${query}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("Accept", "application/x-ndjson");
  for (const [name, value] of Object.entries(csrfHeader())) request.setRequestHeader(name, value);
  const progress = { sent: 0, read: 0, share: 0, rated: 0, to_rate: 0 };
  const broke = (what: string) => new Problem(0, `${what} ${howFar(progress, file)}`);
  request.upload.addEventListener("progress", (event) => tell(Object.assign(progress, { sent: event.loaded })));
  request.addEventListener("progress", () => {
    if (request.status !== 200) return;
    const said = lastLine(request.responseText);
    if (said && "read" in said) tell(Object.assign(progress, { sent: file.size, ...said }));
  });
  return new Promise((resolve, reject) => {
    request.addEventListener("load", () => {
      const said = lastLine(request.responseText);
      if (request.status !== 200) reject(toProblem(request.status, parsed(request.responseText)));
      else if (said && "report" in said) resolve(said.report);
      else reject(broke("The server stopped"));
    });
    request.addEventListener("error", () => reject(progress.sent > 0 ? broke("The connection to the server broke") : new Problem(0, `${file.name} could not be sent: the server cannot be reached.`)));
    request.addEventListener("abort", () => reject(broke("Stopped")));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** What is there when it breaks off, and what to do. */
function howFar({ sent, read, to_rate: toRate }: Progress, file: File): string {
  if (sent < file.size) return "before the whole file was there: nothing of it is stored.";
  if (toRate > 0) return `when all of ${file.name} was stored; its judgments go on into the ratings by themselves.`;
  return `after ${plural(read, "row")} of ${file.name}. What is stored stays; the same file sent again goes on from there, and nothing is stored twice.`;
}

type Line = Omit<Progress, "sent"> | { report: ImportReport };

/** The last whole line of what has come so far. */
export function lastLine(text: string): Line | null {
  const end = text.lastIndexOf("\n");
  return end < 0 ? null : (parsed(text.slice(text.lastIndexOf("\n", end - 1) + 1, end)) as Line | null);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
