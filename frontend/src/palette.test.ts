/** Every pair of text and ground that the pages use has at least the contrast of WCAG 2.2 AA, in light and dark. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const sheet = readFileSync(fileURLToPath(new URL("./styles.css", import.meta.url)), "utf8");
const palette = new Map([...sheet.matchAll(/--color-([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map((match) => [match[1]!, [match[2]!, match[3]!] as const]));

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const GROUNDS = ["page", "surface", "sunken", "raised"];
const PAIRS: [string, string, number][] = [
  ...["ink", "soft", "faint", "accent", "danger", "warn"].flatMap((text) => GROUNDS.map((ground): [string, string, number] => [text, ground, 4.5])),
  ["accent", "accent-wash", 4.5],
  ["ink", "accent-wash", 4.5],
  ["faint", "accent-wash", 4.5],
  ["danger", "danger-wash", 4.5],
  ["warn", "warn-wash", 4.5],
  ["ink", "mark", 4.5],
  ["on-accent", "accent", 4.5],
  ["on-accent", "accent-strong", 4.5],
  // Borders of fields and the ring of the focus need 3 to 1 (1.4.11, 2.4.13).
  ...[..."abcdefgh"].flatMap((letter) => ["page", "surface", "raised"].map((ground): [string, string, number] => [`plot-${letter}`, ground, 3])),
  ...["edge", "accent"].flatMap((line) => ["page", "surface", "raised"].map((ground): [string, string, number] => [line, ground, 3])),
];

describe.each([["light", 0], ["dark", 1]] as const)("in the %s theme", (_, theme) => {
  it.each(PAIRS)("%s on %s", (text, ground, least) => {
    expect(contrast(palette.get(text)![theme], palette.get(ground)![theme])).toBeGreaterThanOrEqual(least);
  });
});

it("knows the extremes", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21);
});
