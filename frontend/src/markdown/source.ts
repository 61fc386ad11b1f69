/** What models write as mathematics, brought into the one notation that the parser knows. Pure. */

/** Code (fenced blocks, then inline spans) must stay as it is. */
const CODE = /(^|\n)[ \t]{0,3}(`{3,}|~{3,})[\s\S]*?(?:\n[ \t]{0,3}\2[`~]*[ \t]*(?=\n|$)|$)|(`+)(?!`)[\s\S]*?[^`]\3(?!`)/g;

export function hasMath(text: string): boolean {
  return /\$|\\\(|\\\[/.test(text);
}

/** A fenced block that names its language; only those are coloured. */
export function hasCode(text: string): boolean {
  return /(?:`{3}|~{3})[ \t]*[A-Za-z]/.test(text);
}

/**
 * `\( \)` and `\[ \]` become dollars. A single dollar opens mathematics only where Pandoc would say so (no space inside,
 * no digit behind the closing one): “$5 and $10” are prices, so their dollars are escaped.
 */
export function normaliseMath(text: string): string {
  let out = "";
  let at = 0;
  for (const code of text.matchAll(CODE)) {
    out += mathIn(text.slice(at, code.index)) + code[0];
    at = code.index + code[0].length;
  }
  return out + mathIn(text.slice(at));
}

function mathIn(text: string): string {
  return text
    .replace(/\\\[([\s\S]+?)\\\]/g, (_, inner: string) => display(inner))
    .replace(/\\\(([\s\S]+?)\\\)/g, (_, inner: string) => `$${inner.trim()}$`)
    .replace(
      /(\\\$)|\$\$([\s\S]+?)\$\$|\$(?![\s$])((?:[^$\\\n]|\\[\s\S])*?[^\s$\\]|\\[^\s])\$(?!\d)|\$/g,
      (whole: string, escaped: string | undefined, block: string | undefined, inline: string | undefined) => {
        if (escaped !== undefined || inline !== undefined) return whole;
        return block === undefined ? "\\$" : display(block);
      },
    );
}

/** The parser reads a display only if its dollars stand on lines of their own. */
function display(inner: string): string {
  return `\n\n$$\n${inner.trim()}\n$$\n\n`;
}
