/** An address that leads nowhere. */
import { ButtonLink } from "../components/Button";
import { useTitle } from "../components/Page";
import { Empty } from "../components/Status";

export function NotFoundPage() {
  useTitle("Not found");
  return (
    <Empty icon="single" level={1} title="There is nothing at this address" action={<ButtonLink to="/" look="primary">Go to the start</ButtonLink>}>
      It may have been mistyped, or what was here has been removed.
    </Empty>
  );
}
