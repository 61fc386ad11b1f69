/** Markdown with formulas: KaTeX and its fonts are only loaded where a text has a dollar or a `\(`. */
import "katex/dist/katex.min.css";
import rehypeKatex from "rehype-katex";
import remarkMath from "remark-math";
import Body from "./Body";
import { normaliseMath } from "./source";

/** A formula may neither run macros without end nor cover the page. */
const katex = { trust: false, strict: false, throwOnError: false, maxExpand: 500, maxSize: 20, errorColor: "var(--color-danger)" };

export default function MathBody({ text }: { text: string }) {
  return <Body text={normaliseMath(text)} remark={[remarkMath]} rehype={[[rehypeKatex, katex]]} />;
}
