import { afterAll, describe, expect, it } from "vitest";
import { i18n, LANGUAGES, languageName, speak } from ".";
import { choose, sameScript } from "./choose";

type Tree = { [key: string]: string | Tree };

/** `work.judged_other` → its text, for all texts of a language. */
function flat(tree: Tree, prefix = ""): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) => (typeof value === "string" ? [[prefix + key, value] as [string, string]] : flat(value, `${prefix}${key}.`)));
}

const variables = (text: string): string[] => [...new Set([...text.matchAll(/\{\{\s*(\w+)/g)].map((match) => match[1]!))].sort();
const tags = (text: string): string[] => [...text.matchAll(/<\/?(\w+)>/g)].map((match) => match[0]).sort();
const folders = import.meta.glob<{ default: Tree }>("./*/index.ts", { eager: true });
const languages = Object.entries(folders).map(([file, { default: texts }]) => [file.split("/")[1]!, new Map(flat(texts))] as const);
const english = new Map(languages.find(([tag]) => tag === "en")![1]);

describe.each(languages)("the texts in %s", (tag, texts) => {
  it("say something everywhere", () => {
    expect([...texts].filter(([, text]) => text.trim() === "")).toEqual([]);
  });

  it("have every plural form of the language, and no other", () => {
    const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
    const needed = [...english.keys()].filter((key) => key.endsWith("_other")).flatMap((key) => forms.map((form) => key.replace(/other$/, form)));
    const found = [...texts.keys()].filter((key) => /_(?:zero|one|two|few|many|other)$/.test(key));
    expect(found.sort()).toEqual(needed.sort());
  });

  it("fill in what the English ones do", () => {
    for (const [key, text] of texts) {
      const source = english.get(key) ?? english.get(key.replace(/_\w+$/, "_other"))!;
      // "one" may spell its number out.
      const [has, needs] = [variables(text), variables(source)].map((names) => (key.endsWith("_one") ? names.filter((name) => name !== "count" && name !== "n") : names));
      expect([key, has]).toEqual([key, needs]);
      expect([key, tags(text)]).toEqual([key, tags(source)]);
    }
  });
});

describe("the language of a reader", () => {
  it("is the first wish that can be met", () => {
    expect(choose(["fr-CH", "zh-CN", "en"], ["en", "zh"], "en")).toBe("zh");
    expect(choose(["de"], ["en", "zh"], "en")).toBe("en");
    expect(choose(["en-GB", "zh"], ["en", "zh"], "zh")).toBe("en");
    expect(choose(["c", "", "zh-Hans-SG"], ["en", "zh"], "en")).toBe("zh");
  });

  it("prefers its own script, and takes the other one rather than another language", () => {
    expect(choose(["zh-TW"], ["en", "zh", "zh-Hant"], "en")).toBe("zh-Hant");
    expect(choose(["zh-TW"], ["en", "zh"], "en")).toBe("zh");
    expect([sameScript("zh-SG", "zh"), sameScript("zh-HK", "zh")]).toEqual([true, false]);
  });

  it("calls itself by its own name", () => {
    expect(LANGUAGES).toContain("en");
    expect([languageName("en"), languageName("zh"), languageName("fr")]).toEqual(["English", "中文", "Français"]);
  });
});

describe("switching", () => {
  afterAll(() => speak("en"));

  it("loads a language once and then speaks it", async () => {
    await speak("zh");
    expect(i18n.t("common:tryAgain")).toBe("重试");
    await speak("en");
    expect(i18n.t("common:tryAgain")).toBe("Try again");
  });
});
