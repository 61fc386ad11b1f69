/** People at work in a project: how much, how carefully, where they stand; invitations, and what was voided. */
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { agreementQuery, annotatorsQuery } from "../api/queries";
import { Button, ButtonLink } from "../components/Button";
import { Fact, Facts } from "../components/Facts";
import { InviteDialog } from "../components/InviteDialog";
import { Page } from "../components/Page";
import { Empty, Loaded } from "../components/Status";
import { count, percent } from "../format";
import { AnnotatorTable } from "../review/AnnotatorTable";
import { FitLine, SlopesFigure } from "../review/Slopes";
import { Voidings } from "../review/Voidings";

export function AnnotatorsPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/annotators" });
  const annotators = useQuery({ ...annotatorsQuery(slug), refetchInterval: 30_000 });
  const agreement = useQuery(agreementQuery(slug)).data;
  const [inviting, setInviting] = useState(false);
  return (
    <Page
      wide
      title="Annotators"
      lead="Who works on this project, and how carefully. Open somebody to see their own numbers and judgments."
      actions={
        <>
          <ButtonLink to="/projects/$project/agreement" params={{ project: slug }}>Agreement</ButtonLink>
          <Button look="primary" icon="plus" onClick={() => setInviting(true)}>Invite somebody</Button>
        </>
      }
    >
      {agreement && agreement.units > 0 && (
        <Facts className="mb-4">
          <Fact name="With the majority" value={agreement.majority_agreement === null ? "–" : percent(agreement.majority_agreement)} hint="How often a person says what most of the others said of the same answers." />
          <Fact name="Krippendorff’s α" value={agreement.alpha_nominal === null ? "–" : agreement.alpha_nominal.toFixed(2)} hint="Agreement beyond chance: 0 is chance, 1 is perfect." />
          <Fact name="Judged more than once" value={count(agreement.units)} hint="Sets of answers on which agreement can be measured." />
        </Facts>
      )}
      <Loaded query={annotators}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty icon="people" title="Nobody works here yet" action={<Button look="primary" onClick={() => setInviting(true)}>Invite somebody</Button>}>
              A link is enough: whoever opens it makes an account and can begin.
            </Empty>
          ) : (
            <>
              <FitLine slug={slug} />
              <AnnotatorTable slug={slug} items={items} />
              <SlopesFigure people={items} />
            </>
          )
        }
      </Loaded>
      <Voidings slug={slug} annotator={null} />
      {inviting && <InviteDialog onClose={() => setInviting(false)} />}
    </Page>
  );
}
