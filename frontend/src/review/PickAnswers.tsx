/** Pick so many of a prompt's answers; the order in which they are picked is the order in which they stand. */
import type { Prompt } from "../api/types";
import { Markdown } from "../components/Markdown";
import { shortNames } from "../components/plot";
import { count } from "../format";

interface PickProps {
  completions: Prompt["completions"];
  picked: readonly string[];
  wanted: number;
  onChange: (picked: string[]) => void;
}

export function PickAnswers({ completions, picked, wanted, onChange }: PickProps) {
  const short = shortNames(completions.map((completion) => completion.model.name));
  return (
    <>
      <p className="mb-2 text-soft" aria-live="polite">{picked.length} of {wanted} picked. A clear difference makes good gold: the best and a plainly worse one.</p>
      <ul className="grid items-start gap-3 lg:grid-cols-2">
        {completions.map((completion) => {
          const on = picked.includes(completion.id);
          return (
            <li key={completion.id} className={`panel min-w-0 ${on ? "border-accent" : ""}`}>
              <label className="flex items-baseline gap-2.5 border-b border-line px-4 py-2">
                <input type="checkbox" className="size-4 translate-y-0.5" checked={on} disabled={!on && picked.length === wanted} onChange={() => onChange(on ? picked.filter((one) => one !== completion.id) : [...picked, completion.id])} />
                <span className="min-w-0 font-medium [overflow-wrap:anywhere]" title={completion.model.name}>{short(completion.model.name)}</span>
                <span className="ml-auto text-sm text-faint">{completion.rating === null || completion.rating === undefined ? "" : `Elo ${count(completion.rating)}`}</span>
              </label>
              <div className="max-h-56 overflow-y-auto px-4 py-3" tabIndex={0} role="region" aria-label={`Answer of ${short(completion.model.name)}`}><Markdown text={completion.text} /></div>
            </li>
          );
        })}
      </ul>
    </>
  );
}
