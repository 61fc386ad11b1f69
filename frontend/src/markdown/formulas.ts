/**
 * Formulas into KaTeX's spans. What KaTeX writes is read here and not by the browser's own parser: the policy of the
 * pages allows no style attributes in markup, and the browser would report every one of them. React sets them without
 * markup.
 */
import type { Element, ElementContent, Root } from "hast";
import katex, { type KatexOptions } from "katex";

/** A formula may neither run macros without end nor cover the page. */
const OPTIONS: KatexOptions = { trust: false, strict: false, throwOnError: false, maxExpand: 500, maxSize: 20, errorColor: "var(--color-danger)" };

const TOKEN = /<(\/?)([A-Za-z][\w-]*)((?:\s+[\w:-]+=(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/g;
const ATTRIBUTE = /([\w:-]+)=(?:"([^"]*)"|'([^']*)')/g;
const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };

function plain(text: string): string {
  return text.replace(/&(amp|lt|gt|quot|#x27);/g, (_, name: string) => ENTITIES[name]!);
}

/** The elements of well-formed markup, as KaTeX writes it: every tag closed, every attribute quoted. */
export function readMarkup(markup: string): ElementContent[] {
  const root: Element = { type: "element", tagName: "span", properties: {}, children: [] };
  const open = [root];
  for (const [, closing, tagName, attributes, empty, text] of markup.matchAll(TOKEN)) {
    const parent = open.at(-1)!;
    if (tagName === undefined) parent.children.push({ type: "text", value: plain(text!) });
    else if (closing) open.pop();
    else {
      const properties = Object.fromEntries([...attributes!.matchAll(ATTRIBUTE)].map(([, name, double, single]) => [name, plain(double ?? single!)]));
      const element: Element = { type: "element", tagName, properties, children: [] };
      parent.children.push(element);
      if (!empty) open.push(element);
    }
  }
  return root.children;
}

function textOf(node: ElementContent): string {
  return node.type === "text" ? node.value : node.type === "element" ? node.children.map(textOf).join("") : "";
}

function draw(tex: string, displayMode: boolean): ElementContent[] {
  try {
    return readMarkup(katex.renderToString(tex, { ...OPTIONS, displayMode }));
  } catch {
    return [{ type: "element", tagName: "code", properties: {}, children: [{ type: "text", value: tex }] }];
  }
}

/** remark-math marks a formula as `code`, and one of its own line as `code` inside `pre`. */
function walk(parent: Root | Element): void {
  parent.children = (parent.children as ElementContent[]).flatMap((child) => {
    if (child.type !== "element") return [child];
    const code = child.tagName === "pre" ? child.children[0] : child;
    if (code?.type === "element" && code.tagName === "code") {
      const names = [code.properties["className"]].flat();
      if (names.includes("math-display")) return draw(textOf(code), true);
      if (names.includes("math-inline")) return draw(textOf(code), false);
      if (names.includes("language-math") && child !== code) return draw(textOf(code), true);
    }
    walk(child);
    return [child];
  });
}

export function rehypeFormulas() {
  return (tree: Root): void => walk(tree);
}
