/** What stands where nobody has judged yet. */
import { ButtonLink } from "../components/Button";
import { Empty } from "../components/Status";

export function NoRatings() {
  return (
    <Empty icon="leaderboard" title="No ratings yet" action={<ButtonLink to="/projects" look="primary">Judge the first comparisons</ButtonLink>}>
      Models appear here as soon as their answers have been compared.
    </Empty>
  );
}
