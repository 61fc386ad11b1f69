/** What is shown when a page fails as a whole: what went wrong, and a way on. */
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Problem } from "../api/client";
import { Button } from "../components/Button";
import { useTitle } from "../components/Page";
import { Empty } from "../components/Status";

export function CrashPage({ error, reset }: { error: unknown; reset?: () => void }) {
  const { t } = useTranslation(["frame", "common"]);
  const router = useRouter();
  const [busy, setBusy] = useState(false);
  useTitle(error instanceof Problem && error.status === 403 ? t("crash.noAccess") : t("crash.title"));
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
        title={refused ? t("crash.noAccess") : known ? t("crash.notLoaded") : t("crash.fault")}
        action={
          <>
            {!refused && <Button look="primary" busy={busy} onClick={() => void again()}>{t("common:tryAgain")}</Button>}
            <Button onClick={() => window.location.assign("/")}>{t("toStart")}</Button>
          </>
        }
      >
        <p>{error instanceof Error ? error.message : String(error)}</p>
        {!known && <p className="mt-2">{t("crash.kept")}</p>}
      </Empty>
    </div>
  );
}
