/** Which of the offered languages fits what a reader asks for. Pure. */

function whole(tag: string): { language: string; script: string | undefined } | null {
  try {
    const { language, script } = new Intl.Locale(tag).maximize();
    return { language, script };
  } catch {
    return null; // A browser may be set to anything.
  }
}

/** zh-CN and zh are written the same way, zh-TW is not. */
export function sameScript(one: string, other: string): boolean {
  const [a, b] = [whole(one), whole(other)];
  return a !== null && b !== null && a.language === b.language && a.script === b.script;
}

/** The first wish that can be met: the very tag, the same language in the same script, the same language. */
export function choose(wishes: readonly string[], offered: readonly string[], otherwise: string): string {
  for (const wish of wishes) {
    const found =
      offered.find((tag) => tag.toLowerCase() === wish.toLowerCase()) ??
      offered.find((tag) => sameScript(tag, wish)) ??
      offered.find((tag) => whole(tag)?.language === whole(wish)?.language && whole(wish) !== null);
    if (found !== undefined) return found;
  }
  return otherwise;
}
