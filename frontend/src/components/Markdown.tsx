/** Markdown of an answer, a prompt or guidelines. The parser comes later than the page; until then the plain text stands there. */
import { lazy, memo, Suspense } from "react";
import { hasMath } from "../markdown/source";

const loadBody = () => import("../markdown/Body");
const loadMath = () => import("../markdown/MathBody");
const Body = lazy(loadBody);
const MathBody = lazy(loadMath);

/** Called while the first comparison is still on its way. */
export function prefetchMarkdown(): void {
  void loadBody();
  void loadMath();
}

export const Markdown = memo(function Markdown({ text }: { text: string }) {
  return (
    <Suspense fallback={<div className="plain">{text}</div>}>
      <div className="prose">{hasMath(text) ? <MathBody text={text} /> : <Body text={text} />}</div>
    </Suspense>
  );
});
