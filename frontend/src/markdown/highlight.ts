/** Colours code whose language is named; the languages that answers of models mostly hold. */
import type { Element, ElementContent, Root } from "hast";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";

const lowlight = createLowlight({ bash, c, cpp, css, diff, go, java, javascript, json, python, rust, sql, typescript, xml, yaml });

/** Beyond this many characters colouring would cost more time than a reader gains. */
const MAX_LENGTH = 20_000;

function language(code: Element): string | null {
  const names = code.properties["className"];
  if (!Array.isArray(names)) return null;
  const name = names.map(String).find((one) => one.startsWith("language-"));
  return name?.slice("language-".length).toLowerCase() ?? null;
}

function textOf(nodes: ElementContent[]): string {
  return nodes.map((node) => (node.type === "text" ? node.value : node.type === "element" ? textOf(node.children) : "")).join("");
}

function walk(node: Root | Element, parent: Root | Element | null): void {
  if (node.type === "element" && node.tagName === "code" && parent?.type === "element" && parent.tagName === "pre") {
    const name = language(node);
    const text = textOf(node.children);
    if (name !== null && lowlight.registered(name) && text.length <= MAX_LENGTH) {
      node.children = lowlight.highlight(name, text).children as ElementContent[];
    }
    return;
  }
  for (const child of node.children) if (child.type === "element") walk(child, node);
}

export function rehypeHighlight() {
  return (tree: Root): void => walk(tree, null);
}
