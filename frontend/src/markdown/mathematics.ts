/** All that formulas need: only loaded where a text has a dollar or a `\(`, and with it KaTeX and its fonts. */
import "katex/dist/katex.min.css";

export { default as remarkMath } from "remark-math";
export { rehypeFormulas } from "./formulas";
export { normaliseMath } from "./source";
