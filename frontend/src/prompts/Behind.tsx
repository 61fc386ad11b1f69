/** The comparisons behind the ratings of a prompt: who won against whom, and who said what when. */
import { useQuery } from "@tanstack/react-query";
import { judgmentsQuery } from "../api/quality";
import type { Duel } from "../api/types";
import { Figure } from "../components/Figure";
import { HeatMap } from "../components/HeatMap";
import { Section } from "../components/Page";
import { Pager, useCursor } from "../components/Pager";
import { Empty, Loaded } from "../components/Status";
import { JudgmentTable } from "../review/JudgmentTable";
import type { Answer } from "./standings";

const MOST = 20;

interface BehindProps {
  slug: string;
  prompt: string;
  answers: readonly Answer[];
  duels: readonly Duel[];
}

export function Behind({ slug, prompt, answers, duels }: BehindProps) {
  const cursor = useCursor();
  const judgments = useQuery(judgmentsQuery(slug, { prompt }, cursor.after));
  return (
    <>
      {duels.length > 0 && <Wins slug={slug} prompt={prompt} answers={answers} duels={duels} />}
      <Section title="Judgments">
        <Loaded query={judgments}>
          {({ items, next }) =>
            items.length === 0 && cursor.number === 1 ? <Empty icon="judgments" title="Nobody has compared these answers yet" /> : (
              <>
                <JudgmentTable slug={slug} items={items} label="Judgments of this prompt" />
                <Pager cursor={cursor} next={next} />
              </>
            )
          }
        </Loaded>
      </Section>
    </>
  );
}

function Wins({ slug, prompt, answers, duels }: BehindProps) {
  const met = new Map(duels.flatMap((one) => [[`${one.a} ${one.b}`, { wins: one.wins, of: one.judgments }], [`${one.b} ${one.a}`, { wins: one.judgments - one.wins, of: one.judgments }]]));
  const name = new Map(answers.map((one) => [one.id, one.name]));
  const compared = answers.filter((one) => duels.some((duel) => duel.a === one.id || duel.b === one.id));
  const shown = compared.slice(0, MOST);
  const at = (row: number, column: number) => met.get(`${shown[row]!.id} ${shown[column]!.id}`);
  return (
    <Figure
      className="mt-8"
      title="Who won against whom"
      caption={`The share of judgments, in percent, that put the answer of the row above that of the column; ties count half.${shown.length < compared.length ? ` The first ${MOST} of ${compared.length} answers.` : ""} Empty: never compared.`}
      file={`${slug}-prompt-${prompt.slice(-8)}-wins`}
      data={{ columns: ["answer", "against", "wins", "judgments"], rows: duels.map((one) => [name.get(one.a), name.get(one.b), one.wins, one.judgments]) }}
    >
      <HeatMap
        label="Who won against whom"
        names={shown.map((one) => one.name)}
        share={(row, column) => {
          const found = at(row, column);
          return found ? found.wins / found.of : null;
        }}
        of={(row, column) => at(row, column)?.of ?? 0}
      />
    </Figure>
  );
}
