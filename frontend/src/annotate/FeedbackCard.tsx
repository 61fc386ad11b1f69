/** After a practice answer: was it right, what would have been, and why. The comparison stays to be read again. */
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Feedback, NewJudgment } from "../api/types";
import { announce } from "../components/announcer";
import { Button } from "../components/Button";
import { Icon } from "../components/Icon";
import { Markdown } from "../components/Markdown";
import { verdict } from "../format";

interface FeedbackCardProps {
  body: NewJudgment;
  feedback: Feedback | null;
  /** The server cannot be reached: the answer is kept, what was right is not known. */
  offline: boolean;
  onGoOn: () => void;
}

export function FeedbackCard({ body, feedback, offline, onGoOn }: FeedbackCardProps) {
  const { t } = useTranslation("annotate");
  const button = useRef<HTMLButtonElement>(null);
  const wanted = feedback ? verdict(feedback.ranks, feedback.none_acceptable) : "";
  const title = feedback && (feedback.right ? t("practice.right") : t("practice.wrong", { wanted }));
  useEffect(() => {
    if (!feedback) return;
    button.current?.focus();
    announce(`${title} ${feedback.explanation}`);
  }, [feedback, title]);
  return (
    <section aria-label={t("practice.card")} className="border-t border-line bg-raised px-4 py-3 shadow-float md:px-6">
      {feedback ? (
        <div className="mx-auto flex max-w-[78ch] flex-wrap items-start gap-x-4 gap-y-2">
          <span className={`mt-0.5 grid size-8 shrink-0 place-items-center rounded-full ${feedback.right ? "bg-accent-wash text-accent" : "bg-warn-wash text-warn"}`}>
            <Icon name={feedback.right ? "check" : "book"} />
          </span>
          <div className="max-h-[28dvh] min-w-0 flex-1 basis-64 overflow-y-auto" tabIndex={0}>
            <p className="font-medium">{title}</p>
            {!feedback.right && <p className="text-sm text-faint">{t("practice.yours", { verdict: verdict(body.ranks, body.none_acceptable ?? false) })}</p>}
            {feedback.explanation.trim() !== "" && <div className="mt-1.5"><Markdown text={feedback.explanation} /></div>}
          </div>
          <Button ref={button} look="primary" className="min-h-11" onClick={onGoOn}>{t("practice.goOn")} <span className="kbd max-sm:hidden">Enter</span></Button>
        </div>
      ) : (
        <p role="status" className="mx-auto max-w-[78ch] text-soft">{offline ? t("practice.offline") : t("practice.checking")}</p>
      )}
    </section>
  );
}
