/** What is shown when a page fails as a whole: what went wrong, and a way on. */
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { Problem } from "../api/client";
import { Button } from "../components/Button";
import { useTitle } from "../components/Page";
import { Empty } from "../components/Status";

export function CrashPage({ error, reset }: { error: unknown; reset?: () => void }) {
  const router = useRouter();
  const [busy, setBusy] = useState(false);
  useTitle(error instanceof Problem && error.status === 403 ? "No access" : "Something went wrong");
  const known = error instanceof Problem;
  const refused = known && error.status === 403;
  const again = async () => {
    setBusy(true);
    await router.invalidate();
    reset?.();
    setBusy(false);
  };
  return (
    <div role="alert">
      <Empty
        icon="alert"
        level={1}
        title={refused ? "No access" : known ? "This page could not be loaded" : "This page has a fault"}
        action={
          <>
            {!refused && <Button look="primary" busy={busy} onClick={() => void again()}>Try again</Button>}
            <Button onClick={() => window.location.assign("/")}>Go to the start</Button>
          </>
        }
      >
        <p>{error instanceof Error ? error.message : String(error)}</p>
        {!known && <p className="mt-2">Judgments that were not sent yet are kept in this browser and go out when a page works again.</p>}
      </Empty>
    </div>
  );
}
