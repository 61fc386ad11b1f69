/**
 * The text of an answer as it stands on the screen: read out of the page, with the way back from its offsets to the
 * page. A formula is one piece that says its TeX; blocks are set apart by line breaks. Knows nothing of remarks.
 */

interface Piece {
  start: number;
  length: number;
  node: Text | Element;
}

export interface Drawn {
  text: string;
  pieces: Piece[];
}

const BLOCKS = /^(?:P|LI|UL|OL|TD|TH|TR|TABLE|PRE|BLOCKQUOTE|DIV|H[1-6]|HR|BR|SECTION)$/;

export function readDrawn(root: Element): Drawn {
  const pieces: Piece[] = [];
  let text = "";
  const add = (node: Text | Element, own: string) => {
    if (own === "") return;
    pieces.push({ start: text.length, length: own.length, node });
    text += own;
  };
  const apart = () => {
    if (text !== "" && !text.endsWith("\n")) text += "\n";
  };
  const walk = (node: Node): void => {
    if (node instanceof Text) add(node, node.data);
    if (!(node instanceof Element)) return;
    if (node.classList.contains("katex")) {
      add(node, node.querySelector("annotation")?.textContent ?? "");
      return;
    }
    const block = node !== root && BLOCKS.test(node.tagName);
    if (block) apart();
    node.childNodes.forEach(walk);
    if (block) apart();
  };
  walk(root);
  return { text, pieces };
}

/** The place of a part in the page. */
export function rangeOf(drawn: Drawn, start: number, end: number): Range | null {
  const inside = drawn.pieces.filter((piece) => piece.start < end && piece.start + piece.length > start);
  const [first, last] = [inside[0], inside.at(-1)];
  if (!first || !last) return null;
  const range = document.createRange();
  if (first.node instanceof Text) range.setStart(first.node, Math.max(0, start - first.start));
  else range.setStartBefore(first.node);
  if (last.node instanceof Text) range.setEnd(last.node, Math.min(last.length, end - last.start));
  else range.setEndAfter(last.node);
  return range;
}

/** The part that a range covers; a formula is in it whole or not at all. */
export function partOf(drawn: Drawn, range: Range): [start: number, end: number] | null {
  const inside = drawn.pieces.filter((piece) => range.intersectsNode(piece.node));
  const [first, last] = [inside[0], inside.at(-1)];
  if (!first || !last) return null;
  const start = first.start + (first.node === range.startContainer ? range.startOffset : 0);
  const end = last.start + (last.node === range.endContainer ? range.endOffset : last.length);
  return start < end ? [start, end] : null;
}

export interface Word {
  start: number;
  end: number;
  /** It begins a line. */
  first: boolean;
}

/** The words of any script, in their order. */
export function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  let behind = 0;
  for (const { segment, index, isWordLike } of new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)) {
    if (!isWordLike) continue;
    words.push({ start: index, end: index + segment.length, first: words.length === 0 || text.slice(behind, index).includes("\n") });
    behind = index + segment.length;
  }
  return words;
}
