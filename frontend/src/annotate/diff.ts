/** Which words two texts do not share (Myers' shortest edit script over words). Pure. */

export interface Piece {
  text: string;
  /** The other text does not have this here. */
  own: boolean;
}

/** Words, runs of white space, and single signs; joined they give the text back. */
export function words(text: string): string[] {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

/** Texts that share little would take quadratic time, and their marks would tell nothing. */
const MAX_EDITS = 1500;

export function diffWords(left: string, right: string): [Piece[], Piece[]] {
  const a = words(left);
  const b = words(right);
  const [keepA, keepB] = shared(a, b);
  return [pieces(a, keepA), pieces(b, keepB)];
}

function pieces(tokens: string[], keep: Uint8Array): Piece[] {
  const out: Piece[] = [];
  tokens.forEach((text, at) => {
    // White space between two marked words is marked too, else every word would be an island.
    const bridge = text.trim() === "" && at > 0 && keep[at - 1] === 0 && keep[at + 1] === 0;
    const own = keep[at] === 0 || bridge;
    const last = out.at(-1);
    if (last && last.own === own) last.text += text;
    else out.push({ text, own });
  });
  return out;
}

export interface Change {
  text: string;
  what: "same" | "gone" | "new";
}

/** Both texts in one line of reading: what is gone stands before what came in its place. */
export function changes(before: string, after: string): Change[] {
  const [a, b] = [words(before), words(after)];
  const [keepA, keepB] = shared(a, b);
  const out: Change[] = [];
  const say = (what: Change["what"], text: string) => {
    const last = out.at(-1);
    if (last?.what === what) last.text += text;
    else out.push({ what, text });
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    while (i < a.length && !keepA[i]) say("gone", a[i++]!);
    while (j < b.length && !keepB[j]) say("new", b[j++]!);
    if (i < a.length && j < b.length) {
      say("same", b[j++]!);
      i++;
    }
  }
  return out;
}

/** For each token of both texts: 1 if it is part of one longest common subsequence. */
export function shared(a: string[], b: string[]): [Uint8Array, Uint8Array] {
  const keepA = new Uint8Array(a.length);
  const keepB = new Uint8Array(b.length);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) {
    keepA[start] = keepB[start] = 1;
    start++;
  }
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) keepA[--endA] = keepB[--endB] = 1;
  const n = endA - start;
  const m = endB - start;
  if (n === 0 || m === 0) return [keepA, keepB];

  // furthest[k + offset]: how far along `a` the best path on diagonal k has come; one copy a round, to walk back.
  const most = Math.min(n + m, MAX_EDITS);
  const offset = most + 1;
  const furthest = new Int32Array(2 * most + 3);
  const trace: Int32Array[] = [];
  for (let edits = 0; edits <= most; edits++) {
    trace.push(furthest.slice(offset - edits - 1, offset + edits + 2));
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && furthest[offset + k - 1]! < furthest[offset + k + 1]!);
      let x = down ? furthest[offset + k + 1]! : furthest[offset + k - 1]! + 1;
      let y = x - k;
      while (x < n && y < m && a[start + x] === b[start + y]) {
        x++;
        y++;
      }
      furthest[offset + k] = x;
      if (x >= n && y >= m) {
        walkBack(trace, edits, n, m, (i, j) => {
          keepA[start + i] = 1;
          keepB[start + j] = 1;
        });
        return [keepA, keepB];
      }
    }
  }
  return [keepA, keepB];
}

function walkBack(trace: Int32Array[], edits: number, n: number, m: number, keep: (i: number, j: number) => void): void {
  let x = n;
  let y = m;
  for (let d = edits; d > 0; d--) {
    const row = trace[d]!; // holds diagonals -d-1 … d+1
    const at = (k: number): number => row[k + d + 1]!;
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const before = down ? k + 1 : k - 1;
    const startX = at(before);
    const startY = startX - before;
    const edited = down ? startX : startX + 1;
    while (x > edited) keep(--x, --y);
    x = startX;
    y = startY;
  }
  while (x > 0 && y > 0) keep(--x, --y);
}
