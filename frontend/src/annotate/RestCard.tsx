/** After 25 minutes: a card that suggests a break, and one key to go on. */
import { useTranslation } from "react-i18next";
import { Button } from "../components/Button";
import { Dialog } from "../components/Dialog";
import { count } from "../format";

export function RestCard({ judged, onClose }: { judged: number; onClose: () => void }) {
  const { t } = useTranslation("annotate");
  return (
    <Dialog title={t("rest.title")} onClose={onClose} footer={<Button look="primary" data-focus onClick={onClose}>{t("rest.goOn")}</Button>}>
      <p className="text-md">{t("rest.text", { count: judged, n: count(judged) })}</p>
      <p className="mt-2 text-soft">{t("rest.safe")}</p>
    </Dialog>
  );
}
