/** One prompt with its completions, best first, and the comparisons behind their ratings. Admins only: it names the models. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { promptQuery } from "../api/queries";
import { ButtonLink } from "../components/Button";
import { Conversation } from "../components/Conversation";
import { Page, Section } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { Answers } from "../prompts/Answers";
import { Behind } from "../prompts/Behind";
import { RatedAnswers } from "../prompts/RatedAnswers";
import { standings } from "../prompts/standings";

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
      <Loaded query={prompt}>
        {(data) => {
          const standing = standings(data.completions);
          return (
            <>
              <div className="panel p-5"><Conversation messages={data.messages} plain={false} /></div>
              {standing.length === 0 ? (
                <Section title="Completions"><Empty icon="models" title="Nobody has answered yet">Sample completions from a model, or import answers.</Empty></Section>
              ) : (
                <>
                  <RatedAnswers slug={slug} prompt={id} answers={standing} />
                  <Answers answers={standing} />
                  <Behind slug={slug} prompt={id} answers={standing} duels={data.duels} />
                </>
              )}
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
