/** Typed calls to the server. Every failure becomes one `Problem` with a sentence that a person can read. */
import createClient from "openapi-fetch";
import { i18n } from "../i18n";
import type { paths } from "./schema";

export interface FieldError {
  field: string;
  message: string;
}

export class Problem extends Error {
  override name = "Problem";
  constructor(
    /** HTTP status; 0 when the server could not be reached. */
    readonly status: number,
    message: string,
    readonly field: string | null = null,
    readonly errors: FieldError[] = [],
  ) {
    super(message);
  }

  /** Trying the same again later may work. */
  get passing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

let csrf: string | null = null;
export function setCsrf(token: string | null): void {
  csrf = token;
}
export function csrfHeader(): Record<string, string> {
  return csrf === null ? {} : { "X-CSRF-Token": csrf };
}

const SAFE = new Set(["GET", "HEAD"]);

/** `fetch` with the CSRF header. Another tab may have signed in anew: then the header is renewed once. */
async function send(request: Request): Promise<Response> {
  if (SAFE.has(request.method)) return fetch(request);
  const again = request.clone();
  const used = csrf;
  if (used !== null) request.headers.set("X-CSRF-Token", used);
  const response = await fetch(request);
  if (response.status !== 403) return response;
  const me = await fetch("/api/v1/me");
  if (!me.ok) return response;
  setCsrf(((await me.json()) as { csrf_token: string | null }).csrf_token);
  if (csrf === null || csrf === used) return response;
  again.headers.set("X-CSRF-Token", csrf);
  return fetch(again);
}

export const api = createClient<paths>({ fetch: send });

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

export function toProblem(status: number, body: unknown): Problem {
  if (!isRecord(body) || typeof body["detail"] !== "string") {
    return new Problem(status, i18n.t("common:unexplained", { status }));
  }
  const errors = Array.isArray(body["errors"]) ? body["errors"].filter(isRecord) : [];
  return new Problem(
    status,
    body["detail"],
    typeof body["field"] === "string" ? body["field"] : null,
    errors.map((error) => ({ field: String(error["field"] ?? ""), message: String(error["message"] ?? "") })),
  );
}

/** The server's field errors by field; the first one of a field is enough. */
export function fieldErrors(problem: unknown): Record<string, string> {
  if (!(problem instanceof Problem)) return {};
  const all = problem.field ? [{ field: problem.field, message: problem.message }, ...problem.errors] : problem.errors;
  return Object.fromEntries(all.map((error) => [error.field, error.message]).reverse());
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of an answer, or a thrown `Problem`. */
export async function call<T>(answer: Promise<Answer<T>>): Promise<T> {
  let settled: Answer<T>;
  try {
    settled = await answer;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, i18n.t("common:unreachable"));
  }
  if (!settled.response.ok) throw toProblem(settled.response.status, settled.error);
  return settled.data as T;
}

/** A request that outlives the page: giving back leases while the window closes. */
export function sendAndForget(method: "DELETE" | "POST", path: string): void {
  void fetch(path, { method, headers: csrfHeader(), keepalive: true }).catch(() => undefined);
}
