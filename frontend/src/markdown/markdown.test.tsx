import katex from "katex";
import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import Body from "./Body";
import { rehypeHighlight } from "./highlight";
import { normaliseMath, rehypeFormulas, remarkMath } from "./mathematics";
import { hasCode, hasMath } from "./source";

const html = (text: string) => renderToStaticMarkup(<Body text={text} rehype={[rehypeHighlight]} />);
const mathHtml = (text: string) => renderToStaticMarkup(<Body text={normaliseMath(text)} remark={[remarkMath]} rehype={[rehypeHighlight, rehypeFormulas]} />);

describe("what a model wrote", () => {
  it("is drawn: lists, tables, code with colours", () => {
    const out = html("# Big\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n- two\n\n```python\ndef f(): return 1\n```");
    expect(out).toMatch(/<table[ >]/);
    expect(out).toMatch(/<li[^>]*>one<\/li>/);
    expect(out).toContain('<span class="hljs-keyword">def</span>');
    expect(out).toMatch(/<h3[^>]*>Big<\/h3>/); // below the headings of the page
  });

  it("shows raw HTML as the text it is, and never as HTML", () => {
    const out = html("before <script>alert(1)</script> <b onclick=x>bold</b>\n\n<iframe src=//evil></iframe>");
    expect(out).not.toMatch(/<script|<b |<iframe/);
    expect(out).toContain("&lt;script&gt;");
    expect(out).toContain("&lt;iframe src=//evil&gt;");
  });

  it("loads no picture, but names it", () => {
    const out = html("![a cat](https://tracker.example/p.png)");
    expect(out).not.toContain("<img");
    expect(out).toContain("a cat");
    expect(out).toContain("https://tracker.example/p.png");
  });

  it("has links that open elsewhere, tell nobody, and run nothing", () => {
    expect(html("[x](https://example.org)")).toMatch(/<a href="https:\/\/example.org" target="_blank" rel="noopener noreferrer nofollow">/);
    expect(html("[x](javascript:alert(1))")).not.toContain("href");
    expect(html("[x](data:text/html,hi)")).not.toContain("href");
  });

  it("runs in its own direction, paragraph by paragraph", () => {
    expect(html("שלום\n\n- אחת\n\n# one")).toMatch(/<p dir="auto">שלום.*<ul dir="auto">.*<h3 dir="auto"/s);
  });

  it("keeps class names of the author out of the page", () => {
    expect(html('```"><img\nx\n```')).not.toContain("<img");
    expect(html("```evil fixed inset-0\nx\n```")).not.toContain("inset-0");
  });
});

describe("formulas", () => {
  it("are drawn in every notation that models use", () => {
    for (const text of ["$x^2$", "$$x^2$$", "\\(x^2\\)", "\\[x^2\\]", "a\n$$\nx^2\n$$\nb"]) {
      expect(hasMath(text)).toBe(true);
      expect(mathHtml(text)).toContain('class="katex"');
    }
    expect(mathHtml("\\[x^2\\]")).toContain("katex-display");
  });

  it("are read whole: what KaTeX writes is what stands in the page", () => {
    const formulas = ["\\sqrt{\\frac{a}{b}} < \\text{\"q\" \\& 'r'}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\overbrace{x}^{\\color{red}y} \\not= \\cancel{z}", "\\xrightarrow{abc}"];
    for (const tex of formulas) {
      const written = katex.renderToString(tex, { displayMode: true, strict: false, throwOnError: true });
      const drawn = mathHtml(`$$\n${tex}\n$$`);
      const tags = (markup: string) => markup.match(/<\w+/g);
      const words = (markup: string) => markup.replaceAll(/<[^>]*>/g, "\n").replaceAll("&#x27;", "'").replaceAll(/\n+/g, "\n");
      const styles = (markup: string) => markup.match(/style="[^"]+"/g)?.length;
      for (const part of [tags, words, styles]) expect(part(drawn)).toEqual(part(written));
    }
  });

  it("are not made out of prices", () => {
    expect(normaliseMath("It costs $5 and $10.")).toBe("It costs \\$5 and \\$10.");
    expect(mathHtml("It costs $5 and then $10 more.")).not.toContain("katex");
    expect(mathHtml("It costs $5 and then $10 more.")).toContain("$5 and then $10 more");
    expect(mathHtml("US$ 20, or 30 $ there")).not.toContain("katex");
  });

  it("leave code alone", () => {
    expect(normaliseMath("`echo $HOME $PATH` and $x$")).toBe("`echo $HOME $PATH` and $x$");
    expect(normaliseMath("```sh\necho $HOME \\(x\\)\n```\n")).toBe("```sh\necho $HOME \\(x\\)\n```\n");
    expect(normaliseMath("~~~\n$a$ $5\n~~~")).toBe("~~~\n$a$ $5\n~~~");
  });

  it("that are wrong stay readable, and macros have an end", () => {
    expect(mathHtml("$\\frac{1}{$")).toContain("frac");
    expect(mathHtml("$$\\def\\x{\\x\\x}\\x$$")).toContain("katex-error");
    expect(mathHtml("$\\href{javascript:alert(1)}{x}$")).not.toContain("href=\"javascript");
  });
});

it("knows which texts have code to colour", () => {
  expect(["```python\nx\n```", "- a\n\n  ~~~ js\n  x\n  ~~~", "> ```c++\n> x\n> ```"].map(hasCode)).toEqual([true, true, true]);
  expect(["```\nx\n```", "`one`", "plain"].map(hasCode)).toEqual([false, false, false]);
});
