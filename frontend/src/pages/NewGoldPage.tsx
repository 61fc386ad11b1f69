/** Make a comparison with a known answer: from a prompt, or from one that was judged. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { projectQuery, promptQuery, promptsQuery } from "../api/queries";
import { addGold } from "../api/quality";
import type { Project, Prompt } from "../api/types";
import { Button, ButtonLink } from "../components/Button";
import { Conversation } from "../components/Conversation";
import { Page, Section } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Empty, Loaded } from "../components/Status";
import { plural } from "../format";
import { GoldForm } from "../review/GoldForm";
import { PickAnswers } from "../review/PickAnswers";

export function NewGoldPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/gold/new" });
  const { prompt } = useSearch({ from: "/app/projects/$project/gold/new" });
  return (
    <Page
      wide
      title={prompt ? "Gold from a prompt" : "Add gold"}
      back={<Link to="/projects/$project/gold" params={{ project: slug }} className="link">Gold</Link>}
      lead={prompt ? undefined : "First the prompt: one whose best answer nobody would dispute."}
    >
      {prompt ? <FromPrompt key={prompt} slug={slug} id={prompt} /> : <ChoosePrompt slug={slug} />}
    </Page>
  );
}

function ChoosePrompt({ slug }: { slug: string }) {
  const cursor = useCursor();
  const [q, setQ] = useState("");
  const prompts = useQuery(promptsQuery(slug, q.trim(), cursor.after));
  return (
    <>
      <input
        type="search"
        aria-label="Search the prompts"
        placeholder="Search the prompts"
        className="field mb-3 max-w-md"
        value={q}
        onChange={(event) => {
          cursor.reset();
          setQ(event.target.value);
        }}
      />
      <Loaded query={prompts}>
        {({ items, next }) =>
          items.length === 0 ? (
            <Empty icon="prompts" title={q ? "No prompt matches" : "No prompts yet"} action={!q && <ButtonLink to="/projects/$project" params={{ project: slug }} look="primary">Import on the overview</ButtonLink>}>
              {q ? `Nothing holds “${q}”.` : "Gold is made of prompts and their answers."}
            </Empty>
          ) : (
            <>
              <ul className="panel divide-y divide-line">
                {items.map((one) => (
                  <li key={one.id} className="flex items-baseline gap-4 px-4 py-2.5">
                    <Link to="/projects/$project/gold/new" params={{ project: slug }} search={{ prompt: one.id }} className="quiet-link line-clamp-2 min-w-0 flex-1 [overflow-wrap:anywhere]">{one.messages.at(-1)?.content.slice(0, 300) || "(empty)"}</Link>
                    <span className="text-sm whitespace-nowrap text-faint">{plural(one.completions, "answer")}</span>
                  </li>
                ))}
              </ul>
              <Pager cursor={cursor} next={next} />
            </>
          )
        }
      </Loaded>
    </>
  );
}

function FromPrompt({ slug, id }: { slug: string; id: string }) {
  const prompt = useQuery(promptQuery(slug, id));
  const project = useQuery(projectQuery(slug)).data;
  return <Loaded query={prompt}>{(data) => project && <Make slug={slug} prompt={data} project={project} />}</Loaded>;
}

function Make({ slug, prompt, project }: { slug: string; prompt: Prompt; project: Project }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { completions: given } = useSearch({ from: "/app/projects/$project/gold/new" });
  const { size } = project.protocol;
  const known = new Set(prompt.completions.map((one) => one.id));
  const [picked, setPicked] = useState<string[]>((given?.split(",") ?? []).filter((one) => known.has(one)).slice(0, size));
  const [ranking, setRanking] = useState<"no" | "at once" | "after picking">(picked.length === size ? "at once" : "no");
  const answers = picked.map((one) => prompt.completions.find((completion) => completion.id === one)!);
  return (
    <>
      <section aria-label="Prompt" className="panel max-h-72 overflow-y-auto p-4" tabIndex={0}><Conversation messages={prompt.messages} /></section>
      {prompt.completions.length < size ? (
        <Empty icon="models" title={`This prompt has ${plural(prompt.completions.length, "answer")}`} action={<ButtonLink to="/projects/$project/gold/new" params={{ project: slug }} look="primary">Choose another prompt</ButtonLink>}>
          {size} are needed, for gold has to look like any other comparison.
        </Empty>
      ) : ranking === "no" ? (
        <Section title={`Pick ${size} answers`}>
          <PickAnswers completions={prompt.completions} picked={picked} wanted={size} onChange={setPicked} />
          <div className="sticky bottom-0 z-10 -mx-4 mt-4 border-t border-line bg-page px-4 py-3 sm:-mx-7 sm:px-7">
            <Button look="primary" disabled={picked.length !== size} onClick={() => setRanking("after picking")}>Say what is right</Button>
          </div>
        </Section>
      ) : (
        <GoldForm
          protocol={project.protocol}
          answers={answers.map((one) => ({ id: one.id, text: one.text, model: one.model.name }))}
          first={{ told: null, use: "check", explanation: "" }}
          save="Add it"
          takesFocus={ranking === "after picking"}
          onPickAgain={() => setRanking("no")}
          onSave={async ({ told, use, explanation }) => {
            await addGold(slug, { prompt: prompt.id, completions: picked, ...told, use, explanation });
            await client.invalidateQueries({ queryKey: ["project", slug, "gold"] });
            await navigate({ to: "/projects/$project/gold", params: { project: slug } });
          }}
        />
      )}
    </>
  );
}
