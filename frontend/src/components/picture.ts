/**
 * What a figure shows as a picture of its own: an SVG text that needs no style sheet, and a PNG of it.
 *
 * Colours are those of the theme of this moment. Canvases are set in as images; other HTML is not drawn, so a plot has
 * its labels inside. What has `data-aside` (a ruler under the pointer) stays out.
 */

const PADDING = 24;
const SCALE = 2;
/** Narrower, and titles would break into many lines. */
const LEAST_WIDTH = 320;
const SVG = "http://www.w3.org/2000/svg";

const INHERITED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "font-family", "font-size", "font-weight", "font-style", "text-anchor", "visibility"];
const OWN: readonly [name: string, initial: string][] = [["opacity", "1"], ["dominant-baseline", "auto"], ["display", "inline"]];

export interface Picture {
  svg: string;
  width: number;
  height: number;
  /** Without a canvas in it: it can be enlarged without end. */
  vector: boolean;
}

/** `box` holds the plot; the title and the caption are set above it in the box's own type. */
export function pictureOf(box: HTMLElement, title: string, caption: string): Picture {
  const style = getComputedStyle(box);
  const plots = [...box.querySelectorAll<SVGSVGElement | HTMLCanvasElement>("svg, canvas")]
    .filter((plot) => !plot.parentElement?.closest("svg") && !plot.closest("button, [data-aside]"))
    .map((plot) => ({ plot, at: plot.getBoundingClientRect() }))
    .filter(({ at }) => at.width > 0 && at.height > 0);
  // As large as the plots are, also where they scroll in their frame.
  const [left, top] = [Math.min(...plots.map(({ at }) => at.left)), Math.min(...plots.map(({ at }) => at.top))];
  const [right, bottom] = [Math.max(...plots.map(({ at }) => at.right)), Math.max(...plots.map(({ at }) => at.bottom))];
  if (plots.length === 0) throw new Error("There is nothing drawn here yet.");
  const width = Math.max(LEAST_WIDTH, Math.ceil(right - left)) + 2 * PADDING;
  const text = (size: number, weight: number, colour: string): Record<string, string> => ({ "font-family": style.fontFamily, "font-size": `${size}px`, "font-weight": String(weight), fill: colour });
  const parts: string[] = [];
  let y = PADDING;
  for (const [words, size, weight, name] of [[title, 17, 600, "ink"], [caption, 12.5, 400, "soft"]] as const) {
    for (const line of wrapped(words, `${weight} ${size}px ${style.fontFamily}`, width - 2 * PADDING)) {
      y += size * 1.2;
      parts.push(element("text", { x: PADDING, y, ...text(size, weight, colourOf(name)) }, escaped(line)));
      y += size * 0.25;
    }
  }
  y += 12;
  let vector = true;
  for (const { plot, at } of plots) {
    const place = { x: PADDING + at.left - left, y: y + at.top - top, width: at.width, height: at.height };
    if (plot instanceof HTMLCanvasElement) {
      vector = false;
      parts.push(element("image", { ...place, href: plot.toDataURL() }));
    } else {
      const copy = standalone(plot);
      for (const [name, value] of Object.entries(place)) copy.setAttribute(name, String(value));
      if (!copy.hasAttribute("viewBox")) copy.setAttribute("viewBox", `0 0 ${at.width} ${at.height}`);
      parts.push(new XMLSerializer().serializeToString(copy));
    }
  }
  const height = Math.ceil(y + bottom - top + PADDING);
  const ground = element("rect", { width, height, fill: colourOf("surface") });
  return { svg: `<svg xmlns="${SVG}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${ground}${parts.join("")}</svg>`, width, height, vector };
}

export function svgFile(picture: Picture): Blob {
  return new Blob([picture.svg], { type: "image/svg+xml" });
}

export async function pngFile(picture: Picture): Promise<Blob> {
  const address = URL.createObjectURL(svgFile(picture));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = picture.width * SCALE;
    canvas.height = picture.height * SCALE;
    canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for this browser."))), "image/png"));
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** A copy whose attributes say what the page's style sheet said. Attributes, since a policy may forbid styles. */
function standalone(plot: SVGSVGElement): SVGSVGElement {
  const copy = plot.cloneNode(true) as SVGSVGElement;
  const originals = [plot, ...plot.querySelectorAll("*")];
  const copies = [copy, ...copy.querySelectorAll("*")];
  const inherited = new Map<Element, string[]>();
  originals.forEach((original, index) => {
    const target = copies[index]!;
    const style = getComputedStyle(original);
    const values = INHERITED.map((name) => style.getPropertyValue(name));
    const above = original === plot ? undefined : inherited.get(original.parentElement!);
    inherited.set(original, values);
    INHERITED.forEach((name, at) => (values[at] === above?.[at] ? target.removeAttribute(name) : target.setAttribute(name, values[at]!)));
    for (const [name, initial] of OWN) {
      const value = style.getPropertyValue(name);
      if (original === plot || value === initial) target.removeAttribute(name);
      else target.setAttribute(name, value);
    }
    for (const name of ["class", "style", "tabindex", "role"]) target.removeAttribute(name);
  });
  for (const aside of copy.querySelectorAll("[data-aside], [display='none']")) aside.remove();
  return copy;
}

/** A colour of the palette as it is in the theme of this moment. */
export function colourOf(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--color-${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function wrapped(text: string, font: string, width: number): string[] {
  const pen = document.createElement("canvas").getContext("2d")!;
  pen.font = font;
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function element(name: string, attributes: Record<string, string | number>, content = ""): string {
  return `<${name} ${Object.entries(attributes).map(([key, value]) => `${key}="${escaped(String(value))}"`).join(" ")}>${content}</${name}>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
