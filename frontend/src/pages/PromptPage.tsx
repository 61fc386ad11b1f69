/** One prompt with all its completions, best rated first. Admins only: it names the models. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { promptQuery } from "../api/queries";
import type { Prompt } from "../api/types";
import { ButtonLink } from "../components/Button";
import { Conversation } from "../components/Conversation";
import { Segments } from "../components/Field";
import { Markdown } from "../components/Markdown";
import { Page, Section } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { count, plural } from "../format";

export function PromptPage() {
  const { project: slug, prompt: id } = useParams({ from: "/app/projects/$project/prompts/$prompt" });
  const prompt = useQuery(promptQuery(slug, id));
  return (
    <Page
      wide
      title="Prompt"
      back={<Link to="/projects/$project/prompts" params={{ project: slug }} className="link">Prompts</Link>}
      actions={
        <>
          <ButtonLink to="/projects/$project/judgments" params={{ project: slug }} search={{ prompt: id }}>Its judgments</ButtonLink>
          <ButtonLink to="/projects/$project/gold/new" params={{ project: slug }} search={{ prompt: id }}>Make gold of it</ButtonLink>
        </>
      }
    >
      <Loaded query={prompt}>{(data) => <Shown prompt={data} />}</Loaded>
    </Page>
  );
}

function Shown({ prompt }: { prompt: Prompt }) {
  const [view, setView] = useState<"drawn" | "plain">("drawn");
  const best = prompt.completions.toSorted((one, other) => (other.rating ?? -Infinity) - (one.rating ?? -Infinity));
  return (
    <>
      <div className="panel p-5"><Conversation messages={prompt.messages} plain={view === "plain"} /></div>
      <Section
        title={plural(prompt.completions.length, "completion")}
        actions={<Segments label="View" value={view} onChange={setView} options={[{ value: "drawn", label: "Markdown" }, { value: "plain", label: "Plain text" }]} />}
      >
        {best.length === 0 ? (
          <Empty icon="models" title="Nobody has answered yet">Sample completions from a model, or import answers.</Empty>
        ) : (
          <ol className="grid items-start gap-4 xl:grid-cols-2">
            {best.map((completion) => (
              <li key={completion.id} className="panel min-w-0">
                <div className="flex flex-wrap items-baseline gap-x-4 gap-y-1 border-b border-line px-4 py-2.5">
                  <h3 className="font-medium [overflow-wrap:anywhere]">{completion.model.name}</h3>
                  <span className="ml-auto text-sm text-faint">{plural(completion.judgments, "judgment")}</span>
                  <span className="title text-lg" title="Elo among the completions of this prompt">{completion.rating === null || completion.rating === undefined ? "–" : count(completion.rating)}</span>
                </div>
                <div className="max-h-112 overflow-y-auto px-4 py-3" tabIndex={0} role="region" aria-label={`Completion of ${completion.model.name}`}>
                  {view === "plain" ? <div className="plain">{completion.text}</div> : <Markdown text={completion.text} />}
                </div>
              </li>
            ))}
          </ol>
        )}
      </Section>
    </>
  );
}
