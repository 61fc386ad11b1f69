/** Lines between the toolbar and the comparison: what went wrong, and what is kept all the same. */
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../components/Button";
import type { Outbox, Snapshot } from "./outbox";

interface NoticesProps {
  slug: string;
  outbox: Outbox;
  sent: Snapshot;
  late: boolean;
}

export function Notices({ slug, outbox, sent, late }: NoticesProps) {
  const { t } = useTranslation(["annotate", "common"]);
  return (
    <>
      {sent.refused.filter((entry) => entry.project === slug).map((entry) => (
        <Notice key={entry.id} onClose={() => outbox.dismiss(entry.id)} close={t("common:close")}>
          {t(entry.what === "flag" ? "notice.flagRefused" : "notice.refused", { reason: entry.refused ?? "" })}
        </Notice>
      ))}
      {!sent.durable && <Notice>{t("notice.notStored")}</Notice>}
      {late && <Notice>{t("notice.late")}</Notice>}
    </>
  );
}

function Notice({ children, onClose, close }: { children: ReactNode; onClose?: () => void; close?: string }) {
  return (
    <div role="status" className="flex shrink-0 items-center gap-3 border-b border-line bg-warn-wash px-4 py-2 text-warn">
      <p className="min-w-0 flex-1">{children}</p>
      {onClose && <Button look="quiet" className="min-h-8 text-warn max-md:min-h-11" onClick={onClose}>{close}</Button>}
    </div>
  );
}
