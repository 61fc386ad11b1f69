/** A text to copy: shown whole, one button, and the button says that it worked. */
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { announce } from "./announcer";
import { Button } from "./Button";

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation();
  const [state, setState] = useState<"idle" | "done" | "failed">("idle");
  useEffect(() => {
    if (state === "idle") return;
    const timer = setTimeout(() => setState("idle"), 2000);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("done");
      announce(t("copied"));
    } catch {
      setState("failed");
      announce(t("copyRefused"));
    }
  };
  return (
    <Button icon={state === "done" ? "check" : "copy"} className="min-h-8" onClick={() => void copy()}>
      {state === "done" ? t("copied") : state === "failed" ? t("copyByHand") : (label ?? t("copy"))}
    </Button>
  );
}

export function CopyText({ text, label }: { text: string; label: string }) {
  return (
    <div className="flex flex-wrap items-start gap-2 rounded-md bg-sunken p-2 pl-3">
      <pre tabIndex={0} aria-label={label} className="min-w-0 flex-1 basis-60 overflow-x-auto py-1.5 font-mono text-sm whitespace-pre-wrap [overflow-wrap:anywhere]">{text}</pre>
      <CopyButton text={text} />
    </div>
  );
}
