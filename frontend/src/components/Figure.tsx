/** The frame of a plot: its title, its caption, and what is in it to take along: as a picture, as data, as a table. */
import { type ButtonHTMLAttributes, type ReactElement, type ReactNode, useId, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { count, figure } from "../format";
import { announce } from "./announcer";
import { Icon, type IconName } from "./Icon";
import { TableFrame } from "./Page";
import { type Picture, pictureOf, pngFile, svgFile } from "./picture";
import { type Cell, csv, type Rows, save } from "./rows";
import { ErrorNote } from "./Status";

const PICTURE_WIDTH = 960;
/** More rows than these are for a program to read. */
const MOST_ROWS = 500;

interface FigureProps {
  title: string;
  caption?: ReactNode;
  /** Name of the saved files, without ending. */
  file: string;
  /** What the plot shows, in numbers: the CSV and the table. */
  data: Rows;
  /** The table is what the page shows already, so none is offered. */
  tabled?: boolean;
  /** The plot is a canvas: there is no SVG of it. */
  raster?: boolean;
  /** Words stand where the plot would be, for there is too little to draw. */
  words?: boolean;
  /** Drawn for the picture where the page shows something else than an SVG or a canvas. Gets no context. */
  picture?: (width: number) => ReactElement;
  /** What can be chosen about the plot. */
  actions?: ReactNode;
  className?: string;
  children: ReactNode;
}

export function Figure({ title, caption, file, data, tabled, raster, words, picture, actions, className, children }: FigureProps) {
  const id = useId();
  const plot = useRef<HTMLDivElement>(null);
  const said = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  const take = (): Picture => {
    const told = said.current?.innerText ?? "";
    return picture ? drawn(picture(PICTURE_WIDTH), (box) => pictureOf(box, title, told)) : pictureOf(plot.current!, title, told);
  };
  const hand = async (ending: string, make: () => Blob | Promise<Blob>): Promise<void> => {
    try {
      save(await make(), `${file}.${ending}`);
      setProblem(null);
      announce(`Saved ${file}.${ending}`);
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <figure aria-labelledby={id} className={`panel min-w-0 ${className ?? ""}`}>
      <figcaption className="flex flex-wrap items-start justify-between gap-x-6 gap-y-2 px-4 pt-3.5">
        <div className="min-w-0">
          <h2 id={id} className="title text-lg">{title}</h2>
          {caption && <div ref={said} className="mt-0.5 max-w-[75ch] text-sm text-pretty text-soft">{caption}</div>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </figcaption>
      <div ref={plot} className="min-w-0 px-4 pt-3 pb-2">{children}</div>
      {problem !== null && <ErrorNote error={problem} className="mx-4 mb-2" />}
      <div className="flex flex-wrap items-center gap-x-1 border-t border-line px-2 py-1 text-sm">
        {!tabled && <Small icon={open ? "down" : "right"} aria-expanded={open} onClick={() => setOpen(!open)}>Show as table</Small>}
        <span className="grow" />
        {!words && <Small icon="download" onClick={() => void hand("png", () => pngFile(take()))}>Save picture</Small>}
        {!words && !raster && <Small aria-label="Save picture as SVG" onClick={() => void hand("svg", () => svgFile(take()))}>SVG</Small>}
        <Small icon="download" onClick={() => void hand("csv", () => new Blob([csv(data)], { type: "text/csv" }))}>Save data</Small>
      </div>
      {open && <div className="border-t border-line p-3"><Table data={data} label={title} /></div>}
    </figure>
  );
}

function Small({ icon, children, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { icon?: IconName }) {
  return (
    <button type="button" {...rest} className="inline-flex min-h-8 items-center gap-1.5 rounded-md px-2 text-faint max-sm:px-1 hover:bg-sunken hover:text-ink">
      {icon && <Icon name={icon} size={13} className={icon === "download" ? "max-sm:hidden" : ""} />}
      {children}
    </button>
  );
}

function Table({ data: { columns, rows }, label }: { data: Rows; label: string }) {
  const shown = rows.slice(0, MOST_ROWS);
  const numeric = columns.map((_, at) => shown.some((row) => typeof row[at] === "number"));
  return (
    <>
      <TableFrame label={`${label}, as a table`}>
        <table className="table text-sm">
          <thead><tr>{columns.map((name, at) => <th key={name} scope="col" className={numeric[at] ? "number" : ""}>{name}</th>)}</tr></thead>
          <tbody>
            {shown.map((row, line) => (
              // The rows of a plot have no name of their own, and their order is theirs.
              <tr key={line}>{row.map((one, at) => <td key={columns[at]} className={numeric[at] ? "number" : ""}>{written(one)}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </TableFrame>
      {rows.length > MOST_ROWS && <p className="mt-2 text-sm text-faint">The first {count(MOST_ROWS)} of {count(rows.length)} rows. “Save data” has them all.</p>}
    </>
  );
}

function written(cell: Cell): string {
  if (cell === null || cell === undefined) return "–";
  return typeof cell === "number" ? figure(cell) : String(cell);
}

/** Draw something beside the page, take it, and throw it away. */
function drawn<T>(content: ReactElement, taken: (box: HTMLElement) => T): T {
  const box = document.createElement("div");
  box.className = "absolute -left-[9999px] top-0 text-base";
  box.style.width = `${PICTURE_WIDTH}px`;
  document.body.append(box);
  const root = createRoot(box);
  try {
    flushSync(() => root.render(content));
    return taken(box);
  } finally {
    root.unmount();
    box.remove();
  }
}
