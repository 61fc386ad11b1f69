/** One gold comparison: change what is right and why, retire it, bring it back. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { projectQuery, promptQuery } from "../api/queries";
import { changeGold, goldQuery } from "../api/quality";
import type { Gold, GoldChange, Project } from "../api/types";
import { Button } from "../components/Button";
import { Conversation } from "../components/Conversation";
import { Fact, Facts } from "../components/Facts";
import { Page } from "../components/Page";
import { Bones, Empty, ErrorNote, Loaded } from "../components/Status";
import { useAction } from "../components/useAction";
import { count, percent } from "../format";
import { GoldForm } from "../review/GoldForm";

export function GoldItemPage() {
  const { project: slug, gold: id } = useParams({ from: "/app/projects/$project/gold/$gold" });
  const gold = useQuery(goldQuery(slug));
  const project = useQuery(projectQuery(slug)).data;
  return (
    <Loaded query={gold} bones={<Bones rows={8} />}>
      {(items) => {
        const found = items.find((one) => one.id === id);
        if (!found) return <Page title="Gold"><Empty icon="check" title="There is no such gold in this project">It may belong to another one.</Empty></Page>;
        return project ? <Shown key={id} slug={slug} gold={found} project={project} /> : <Bones rows={8} />;
      }}
    </Loaded>
  );
}

function Shown({ slug, gold, project }: { slug: string; gold: Gold; project: Project }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const action = useAction();
  const prompt = useQuery(promptQuery(slug, gold.prompt.id));
  const change = async (part: GoldChange) => {
    await changeGold(gold.id, part);
    await client.invalidateQueries({ queryKey: ["project", slug, "gold"] });
  };
  const retired = gold.retired_at !== null;
  return (
    <Page
      wide
      title="One gold comparison"
      back={<Link to="/projects/$project/gold" params={{ project: slug }} className="link">Gold</Link>}
      lead={retired ? "Retired: it is handed out no more. What was answered stays." : undefined}
      actions={
        <Button busy={action.busy} onClick={() => void action.run(() => change({ retired: !retired }), retired ? "In use again." : "Retired. It can be brought back.")}>
          {retired ? "Bring back" : "Retire"}
        </Button>
      }
    >
      <ErrorNote error={action.problem} className="mb-3" />
      <Facts className="mb-4">
        <Fact name="Judged" value={count(gold.answers)} />
        <Fact name="Right" value={gold.right_share === null ? "–" : percent(gold.right_share)} hint="Of those who judged it, so many gave the known answer." />
      </Facts>
      <Loaded query={prompt}>{(data) => <section aria-label="Prompt" className="panel max-h-72 overflow-y-auto p-4" tabIndex={0}><Conversation messages={data.messages} /></section>}</Loaded>
      <GoldForm
        protocol={project.protocol}
        answers={gold.completions.map((one) => ({ id: one.id, text: one.text, model: one.model.name }))}
        first={{ told: { ranks: gold.ranks, none_acceptable: gold.none_acceptable }, use: gold.use, explanation: gold.explanation }}
        save="Save"
        onSave={async ({ told, use, explanation }) => {
          await change({ ...told, use, explanation });
          await navigate({ to: "/projects/$project/gold", params: { project: slug } });
        }}
      />
    </Page>
  );
}
