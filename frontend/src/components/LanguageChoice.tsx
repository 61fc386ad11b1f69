/** Chooses the language of the pages. Every language stands there in its own words, for those who cannot read the current one. */
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { LANGUAGES, languageName } from "../i18n";
import { setPreferences, usePreferences } from "../preferences";

export function LanguageChoice({ className, browser = false }: { className?: string; /** Offers to follow the browser. */ browser?: boolean }) {
  const { t, i18n } = useTranslation();
  const { language } = usePreferences();
  const id = useId();
  return (
    <div className={className}>
      <label htmlFor={id} className={browser ? "mb-1 block font-medium" : "sr-only"}>{t("language")}</label>
      <select
        id={id}
        className="field w-auto min-w-40 max-md:min-h-11"
        value={browser ? (language ?? "") : i18n.language}
        onChange={(event) => setPreferences({ language: event.target.value || null })}
      >
        {browser && <option value="">{t("languageOfBrowser")}</option>}
        {LANGUAGES.map((tag) => <option key={tag} value={tag} lang={tag}>{languageName(tag)}</option>)}
      </select>
    </div>
  );
}
