/** The prompts of a project, searchable. */
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { projectQuery, promptsQuery } from "../api/queries";
import { Button, ButtonLink } from "../components/Button";
import { Page, TableFrame } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Empty, Loaded } from "../components/Status";
import { Time } from "../components/Time";
import { count, plural } from "../format";

export function PromptsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/prompts" });
  const { q = "" } = useSearch({ from: "/app/projects/$project/prompts" });
  const navigate = useNavigate({ from: "/projects/$project/prompts" });
  const project = useQuery(projectQuery(slug)).data;
  const cursor = useCursor();
  const prompts = useQuery(promptsQuery(slug, q, cursor.after));
  const [typed, setTyped] = useState(q);
  useEffect(() => {
    if (typed.trim() === q) return;
    const timer = setTimeout(() => {
      cursor.reset();
      void navigate({ search: { q: typed.trim() || undefined }, replace: true });
    }, 250);
    return () => clearTimeout(timer);
  }, [typed, q, cursor, navigate]);
  return (
    <Page
      title="Prompts"
      lead={project && `${plural(project.counts.prompts, "prompt")} with ${plural(project.counts.completions, "completion")}.`}
      actions={<ButtonLink to="/projects/$project/new-run" params={{ project: slug }} search={{ kind: "sample" }} icon="plus">Sample completions</ButtonLink>}
    >
      <input type="search" aria-label="Search the prompts" placeholder="Search the prompts" className="field mb-3 max-w-md" value={typed} onChange={(event) => setTyped(event.target.value)} />
      <Loaded query={prompts}>
        {({ items, next }) =>
          items.length === 0 ? (
            q ? (
              <Empty icon="prompts" title="No prompt matches" action={<Button onClick={() => setTyped("")}>Clear the search</Button>}>Nothing holds “{q}”.</Empty>
            ) : (
              <Empty icon="prompts" title="No prompts yet" action={<ButtonLink to="/projects/$project" params={{ project: slug }} look="primary">Import on the overview</ButtonLink>}>
                A JSONL file with one prompt a line is enough to begin.
              </Empty>
            )
          ) : (
            <>
              <TableFrame label="Prompts">
                <table className="table">
                  <thead><tr><th>Prompt</th><th className="number">Turns</th><th className="number">Completions</th><th className="number">Judgments</th><th>Added</th></tr></thead>
                  <tbody>
                    {items.map((prompt) => (
                      <tr key={prompt.id}>
                        <td className="min-w-72">
                          <Link to="/projects/$project/prompts/$prompt" params={{ project: slug, prompt: prompt.id }} className="quiet-link line-clamp-2">
                            {prompt.messages.at(-1)?.content.slice(0, 300) || "(empty)"}
                          </Link>
                        </td>
                        <td className="number">{count(prompt.messages.length)}</td>
                        <td className="number">{count(prompt.completions)}</td>
                        <td className="number">{count(prompt.judgments)}</td>
                        <td><Time at={prompt.created_at} /></td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </TableFrame>
              <Pager cursor={cursor} next={next} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}
