/** Markdown of an answer, a prompt or guidelines. The parser comes later than the page; until then the plain text stands there. */
import { lazy, memo, Suspense } from "react";
import { hasCode, hasMath } from "../markdown/source";

const loadBody = () => import("../markdown/Body");
const loadFormulas = () => import("../markdown/mathematics");
const loadColours = () => import("../markdown/highlight");

/** Formulas and coloured code need much more than the rest, so they are loaded for texts that have them. */
function drawn(math: boolean, code: boolean) {
  return lazy(async () => {
    const [{ default: Body }, formulas, colours] = await Promise.all([loadBody(), math ? loadFormulas() : null, code ? loadColours() : null]);
    const remark = formulas ? [formulas.remarkMath] : [];
    const rehype = [...(colours ? [colours.rehypeHighlight] : []), ...(formulas ? [formulas.rehypeFormulas] : [])];
    const Drawn = ({ text }: { text: string }) => <Body text={formulas ? formulas.normaliseMath(text) : text} remark={remark} rehype={rehype} />;
    return { default: Drawn };
  });
}
const Plain = drawn(false, false);
const Coloured = drawn(false, true);
const Mathematical = drawn(true, false);
const Both = drawn(true, true);

/** Called when the first comparison is on its way; what only some texts need is fetched when there is time. */
export function prefetchMarkdown(): void {
  void loadBody();
  const idle = window.requestIdleCallback ?? ((later: () => void) => setTimeout(later, 2000));
  idle(() => void Promise.all([loadColours(), loadFormulas()]).catch(() => undefined), { timeout: 10_000 });
}

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const Body = hasMath(text) ? (hasCode(text) ? Both : Mathematical) : hasCode(text) ? Coloured : Plain;
  return (
    <Suspense fallback={<div className="plain">{text}</div>}>
      <div className="prose"><Body text={text} /></div>
    </Suspense>
  );
});
