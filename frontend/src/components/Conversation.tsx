/** The messages of a prompt. One user message needs no name; longer conversations say who speaks. */
import { useTranslation } from "react-i18next";
import type { Message } from "../api/types";
import { Markdown } from "./Markdown";

const SPEAKERS = ["system", "user", "assistant"] as const;

export function Conversation({ messages, plain = false }: { messages: readonly Message[]; plain?: boolean }) {
  const { t } = useTranslation();
  const name = (role: string): string => {
    const known = SPEAKERS.find((one) => one === role);
    return known ? t(`speaker.${known}`) : role;
  };
  const alone = messages.length === 1;
  return (
    <div className="grid gap-3">
      {messages.map((message, at) => (
        <div key={at} className={alone ? "" : "grid gap-x-4 sm:grid-cols-[5.5rem_1fr]"}>
          {!alone && <div className="pt-0.5 text-sm font-medium text-faint">{name(message.role)}</div>}
          <div className={`min-w-0 ${message.role === "system" ? "text-soft" : ""}`}>
            {plain ? <div className="plain">{message.content}</div> : <Markdown text={message.content} />}
          </div>
        </div>
      ))}
    </div>
  );
}
