/** An address that leads nowhere. */
import { useTranslation } from "react-i18next";
import { ButtonLink } from "../components/Button";
import { useTitle } from "../components/Page";
import { Empty } from "../components/Status";

export function NotFoundPage() {
  const { t } = useTranslation("frame");
  useTitle(t("notFound.title"));
  return (
    <Empty icon="single" level={1} title={t("notFound.heading")} action={<ButtonLink to="/" look="primary">{t("toStart")}</ButtonLink>}>
      {t("notFound.text")}
    </Empty>
  );
}
