/**
 * The language of the pages: which one, its texts (a folder here for each, loaded when it is first needed), and the
 * locale for dates and numbers. Knows nothing of what the texts are about.
 */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { getPreferences, onPreferences } from "../preferences";
import { choose, sameScript } from "./choose";
import type { Texts } from "./texts";

const FOLDERS = import.meta.glob<{ default: Texts }>("./*/index.ts");
const ADDRESS = new Map(Object.keys(FOLDERS).map((file) => [file.split("/")[1]!, file]));

/** The tags of all languages that have a folder. */
export const LANGUAGES: readonly string[] = [...ADDRESS.keys()].sort();
const SOURCE = "en";

export const i18n = i18next.createInstance();
void i18n.use(initReactI18next).init({
  lng: SOURCE,
  fallbackLng: false,
  defaultNS: "common",
  resources: {},
  initAsync: false,
  interpolation: { escapeValue: false }, // React does.
  react: { useSuspense: false },
});

function wanted(): readonly string[] {
  return typeof navigator === "undefined" ? [] : (navigator.languages ?? []);
}

/** What was chosen, else what the browser asks for. */
export function chosenLanguage(): string {
  const set = getPreferences().language;
  return set !== null && ADDRESS.has(set) ? set : choose(wanted(), LANGUAGES, SOURCE);
}

/** Loads a language and shows it. When it cannot be loaded (the network went away), what is shown stays. */
export async function speak(language: string): Promise<void> {
  if (!i18n.hasResourceBundle(language, "common")) {
    const texts = (await FOLDERS[ADDRESS.get(language)!]!()).default;
    for (const [name, part] of Object.entries(texts)) i18n.addResourceBundle(language, name, part);
  }
  await i18n.changeLanguage(language);
  if (typeof document !== "undefined") document.documentElement.lang = language;
}

/** Resolves when there are texts to draw with; from then on the language follows the preferences. */
export async function startLanguage(): Promise<void> {
  await speak(chosenLanguage()).catch(() => speak(SOURCE));
  onPreferences(() => {
    const language = chosenLanguage();
    if (language !== i18n.language) void speak(language).catch(() => undefined);
  });
}

/** For dates and numbers: the reader's own region where it speaks the language of the pages. */
export function locale(): string {
  return wanted().find((one) => sameScript(one, i18n.language)) ?? i18n.language;
}

/** What those who speak a language call it. */
export function languageName(language: string): string {
  const name = new Intl.DisplayNames([language], { type: "language" }).of(language) ?? language;
  return name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
}

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "common";
    resources: typeof import("./en").default;
  }
}
