/** Markdown with formulas: KaTeX and its fonts are only loaded where a text has a dollar or a `\(`. */
import "katex/dist/katex.min.css";
import remarkMath from "remark-math";
import Body from "./Body";
import { rehypeFormulas } from "./formulas";
import { normaliseMath } from "./source";

export default function MathBody({ text }: { text: string }) {
  return <Body text={normaliseMath(text)} remark={[remarkMath]} rehype={[rehypeFormulas]} />;
}
