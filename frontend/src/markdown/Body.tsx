/**
 * Markdown that a model wrote, made harmless: HTML in it is shown as the text that it is, links cannot run anything,
 * pictures are named but not loaded (a picture tells its server who is judging when).
 */
import type { Nodes, Root } from "hast";
import { type ComponentProps, type ReactNode, useId } from "react";
import { useTranslation } from "react-i18next";
import ReactMarkdown, { type Components, type Options } from "react-markdown";
import rehypeSanitize, { defaultSchema } from "rehype-sanitize";
import remarkGfm from "remark-gfm";

const schema = {
  ...defaultSchema,
  clobberPrefix: "",
  attributes: { ...defaultSchema.attributes, code: [["className", /^language-./, "math-inline", "math-display"]] },
} as typeof defaultSchema;

/** Without this the sanitizer would drop HTML silently, and the annotator would judge another text than was written. */
function rehypeRawIsText() {
  const visit = (node: Nodes): void => {
    if (!("children" in node)) return;
    node.children = node.children.map((child) =>
      (child.type as string) === "raw" ? { type: "text" as const, value: (child as unknown as { value: string }).value } : child,
    ) as typeof node.children;
    node.children.forEach((child) => visit(child as Nodes));
  };
  return (tree: Root): void => visit(tree);
}

const BLOCKS = new Set(["p", "ul", "ol", "li", "blockquote", "table", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6"]);

/** Arabic and Hebrew run from the right, beside paragraphs that do not: each block goes by its own first letter. */
function rehypeDirection() {
  const visit = (node: Nodes): void => {
    if (node.type === "element" && BLOCKS.has(node.tagName)) node.properties["dir"] = "auto";
    if ("children" in node) node.children.forEach((child) => visit(child as Nodes));
  };
  return (tree: Root): void => visit(tree);
}

/** An answer's headings stand below those of the page, whatever level its author chose. */
function heading(Tag: "h3" | "h4" | "h5", look: string) {
  return function Heading({ children }: { children?: ReactNode }) {
    return <Tag dir="auto" className={look}>{children}</Tag>;
  };
}

const components: Components = {
  h1: heading("h3", "md-1"),
  h2: heading("h4", "md-2"),
  h3: heading("h5", "md-3"),
  h4: heading("h5", "md-3"),
  h5: heading("h5", "md-3"),
  h6: heading("h5", "md-3"),
  a: ({ href, children, id }) =>
    href?.startsWith("#") ? (
      <a href={href} id={id}>{children}</a>
    ) : href ? (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow">{children}</a>
    ) : (
      <span>{children}</span>
    ),
  img: ({ alt, src }) => <Picture alt={alt} src={src} />,
  input: ({ checked }) => <Tick checked={checked} />,
  pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
  table: ({ children, dir }) => <Table dir={dir}>{children}</Table>,
};

function Picture({ alt, src }: ComponentProps<"img">) {
  const { t } = useTranslation();
  return (
    <span className="rounded-sm border border-dashed border-edge px-1.5 py-0.5 text-soft">
      {alt ? t("text.pictureOf", { alt }) : t("text.picture")} <span className="break-all text-faint">({String(src ?? t("text.noAddress"))})</span>
    </span>
  );
}

function Tick({ checked }: ComponentProps<"input">) {
  const { t } = useTranslation();
  return <span role="img" aria-label={checked ? t("text.done") : t("text.toDo")}>{checked ? "☑" : "☐"}</span>;
}

/** A wide table scrolls on its own, also by keyboard. */
function Table({ dir, children }: ComponentProps<"table">) {
  const { t } = useTranslation();
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={t("text.table")}>
      <table dir={dir}>{children}</table>
    </div>
  );
}

export interface BodyProps {
  text: string;
  remark?: NonNullable<Options["remarkPlugins"]>;
  rehype?: NonNullable<Options["rehypePlugins"]>;
}

export default function Body({ text, remark = [], rehype = [] }: BodyProps) {
  const id = useId();
  const footnotes: ComponentProps<typeof ReactMarkdown>["remarkRehypeOptions"] = { clobberPrefix: `${id}-` };
  return (
    <ReactMarkdown
      remarkPlugins={[remarkGfm, ...remark]}
      remarkRehypeOptions={footnotes}
      rehypePlugins={[rehypeRawIsText, [rehypeSanitize, schema], rehypeDirection, ...rehype]}
      components={components}
    >
      {text}
    </ReactMarkdown>
  );
}
