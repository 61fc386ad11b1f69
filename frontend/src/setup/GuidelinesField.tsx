/** The guidelines as Markdown, and as annotators read them. */
import { type ReactNode, useState } from "react";
import { Field, Segments } from "../components/Field";
import { Markdown } from "../components/Markdown";

interface GuidelinesProps {
  value: string;
  onChange: (value: string) => void;
  error: string | undefined;
  hint: string;
  /** Stands beside the switch. */
  extra?: ReactNode;
}

export function GuidelinesField({ value, onChange, error, hint, extra }: GuidelinesProps) {
  const [view, setView] = useState<"write" | "read">("write");
  return (
    <div>
      {view === "write" ? (
        <Field label="Guidelines" hint={hint} error={error}>
          {(ids) => <textarea {...ids} className="field min-h-44 font-mono text-sm [field-sizing:content]" value={value} onChange={(event) => onChange(event.target.value)} placeholder="Two sentences on what makes an answer good raise agreement more than anything else." />}
        </Field>
      ) : (
        <>
          <p className="mb-1 font-medium">Guidelines</p>
          <div className="min-h-44 rounded-md border border-line bg-page p-4">
            {value.trim() === "" ? <p className="text-faint">There are none yet.</p> : <Markdown text={value} />}
          </div>
        </>
      )}
      <div className="mt-2 flex flex-wrap items-center gap-3">
        <Segments label="Write or read" value={view} onChange={setView} options={[{ value: "write", label: "Write" }, { value: "read", label: "Preview" }]} />
        {extra}
      </div>
    </div>
  );
}
