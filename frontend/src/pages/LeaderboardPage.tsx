/** Which model people prefer in this project, and how sure that is. */
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import type { Method } from "../api/ratings";
import { ButtonLink } from "../components/Button";
import { Segments } from "../components/Field";
import { Page } from "../components/Page";
import { EloBoard } from "../ratings/EloBoard";
import { FittedBoard } from "../ratings/FittedBoard";
import { WinRates } from "../ratings/WinRates";

export function LeaderboardPage() {
  const { project: slug } = useParams({ from: "/app/projects/$project/leaderboard" });
  const [method, setMethod] = useState<Method>("elo");
  return (
    <Page
      title="Leaderboard"
      lead={
        method === "elo"
          ? "Elo follows the judgments in the order they came: quick to move, and easy to read."
          : "Bradley-Terry takes all judgments at once, with an error for each rating: the better answer to “which model is best”."
      }
      actions={
        <>
          <Segments label="Method" value={method} onChange={setMethod} options={[{ value: "elo", label: "Elo" }, { value: "bradley_terry", label: "Bradley-Terry" }]} />
          <ButtonLink to="/projects/$project/history" params={{ project: slug }} icon="runs">History</ButtonLink>
        </>
      }
    >
      {method === "elo" ? <EloBoard slug={slug} /> : <FittedBoard slug={slug} />}
      <WinRates slug={slug} />
    </Page>
  );
}
