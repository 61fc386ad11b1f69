/** The few pictograms of the pages, drawn on a grid of 16. They carry no meaning alone: a text stands beside or inside. */

const PATHS = {
  annotate: "M2.5 3.5h4.6v9H2.5zM8.9 3.5h4.6v9H8.9z",
  mine: "M8 7.5a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM3 13.7c.5-2.6 2.4-4 5-4s4.5 1.4 5 4",
  overview: "M2.5 13.5v-4h3v4M6.5 13.5v-9h3v9M10.5 13.5v-6h3v6M1.5 13.5h13",
  prompts: "M2.5 3.5h11v7.2H7.2L4.4 13v-2.3H2.5z",
  leaderboard: "M2.5 4h7.5M2.5 8h11M2.5 12h4.5",
  judgments: "M3 8.4 6.2 11.6 13 4.6",
  split: "M8 13.5V9M8 9 3.5 3.5M8 9l4.5-5.5M3.2 6.3V3.2h3.1M12.8 6.3V3.2H9.7",
  team: "M5.4 7a2.1 2.1 0 1 0 0-4.2 2.1 2.1 0 0 0 0 4.2zM1.6 12.8c.3-2.2 1.7-3.4 3.8-3.4s3.5 1.2 3.8 3.4M10.4 9l1.5 1.5L14.4 8",
  gold: "M8 9.6a3.4 3.4 0 1 0 0-6.8 3.4 3.4 0 0 0 0 6.8zM5.9 9 4.8 13.6 8 12l3.2 1.6L10.1 9",
  rewards: "M8 2.2l1.7 3.7 4 .4-3 2.7.9 4L8 10.9 4.4 13l.9-4-3-2.7 4-.4z",
  runs: "M1.8 11.5c2 0 2.3-7 4.3-7s2 7 4 7 2.2-4.5 4.1-4.5",
  checkpoints: "M8 2 13.5 5 8 8 2.5 5zM2.5 8 8 11l5.5-3M2.5 11 8 14l5.5-3",
  models: "M8 1.8 13.4 4.9v6.2L8 14.2l-5.4-3.1V4.9zM2.6 4.9 8 8l5.4-3.1M8 8v6.2",
  people: "M6 7.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.8 13.2c.3-2.4 1.9-3.7 4.2-3.7s3.9 1.3 4.2 3.7M10.6 3a2.2 2.2 0 0 1 0 4.2M12 9.8c1.3.5 2 1.6 2.2 3.4",
  settings: "M2.5 4.5h6M11.5 4.5h2M2.5 11.5h2M7.5 11.5h6M10 6.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4zM6 13.2a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4z",
  undo: "M5.8 3.2 2.8 6.2l3 3M3 6.2h6.4a3.7 3.7 0 0 1 0 7.4H6",
  flag: "M3.5 14V2.5M3.5 3h8l-1.8 3 1.8 3h-8",
  mark: "M9.6 2.6l3.8 3.8-6 6H3.6V8.6zM2.5 14h11",
  pen: "M10.8 2.6l2.6 2.6-8 8-3.2.6.6-3.2zM9.2 4.2l2.6 2.6",
  skip: "M3 3.5 8 8l-5 4.5zM8.2 3.5l5 4.5-5 4.5z",
  columns: "M2.5 3.5h11v9h-11zM8 3.5v9",
  rows: "M2.5 3h11v10h-11zM2.5 8h11",
  single: "M2.5 3.5h11v9h-11z",
  diff: "M4 3v10M2 5h4M9.5 5h4.5M9.5 11h4.5",
  plain: "M3 4h10M3 8h7M3 12h9",
  book: "M8 4.2C6.5 3 4.6 2.7 2.5 2.8v9.6c2.1-.1 4 .2 5.5 1.4 1.5-1.2 3.4-1.5 5.5-1.4V2.8C11.4 2.7 9.5 3 8 4.2zM8 4.2v9.6",
  keyboard: "M1.8 4h12.4v8H1.8zM4 6.5h.01M6.6 6.5h.01M9.3 6.5h.01M12 6.5h.01M4.5 9.5h7",
  down: "M4 6.2 8 10l4-3.8",
  right: "M6.2 4 10 8l-3.8 4",
  left: "M9.8 4 6 8l3.8 4",
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.7M8 12.8v1.7M1.5 8h1.7M12.8 8h1.7M3.4 3.4l1.2 1.2M11.4 11.4l1.2 1.2M3.4 12.6l1.2-1.2M11.4 4.6l1.2-1.2",
  moon: "M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8z",
  system: "M2 3h12v8H2zM5.5 13.5h5",
  out: "M6.5 2.8H3v10.4h3.5M7 8h6.5M11 5.4 13.6 8 11 10.6",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.4 6.2 11.6 13 4.6",
  alert: "M8 2.4 14.3 13.4H1.7zM8 6.6v3M8 11.6h.01",
  download: "M8 2.5v7.2M5 7l3 3 3-3M2.8 13.2h10.4",
  upload: "M8 10.2V3M5 5.7l3-3 3 3M2.8 13.2h10.4",
  cloud: "M4.6 12.5a2.9 2.9 0 0 1-.3-5.8 3.9 3.9 0 0 1 7.5-.4 3.1 3.1 0 0 1 .2 6.2z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16, className }: { name: IconName; size?: number; className?: string }) {
  return (
    <svg className={`shrink-0 ${className ?? ""}`} width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** Three steps, the middle one highest. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 22 22" aria-hidden="true" focusable="false" className="shrink-0 text-accent">
      <path d="M2 12h5.4v7H2z" fill="currentColor" opacity="0.7" />
      <path d="M8.3 4h5.4v15H8.3z" fill="currentColor" />
      <path d="M14.6 9H20v10h-5.4z" fill="currentColor" opacity="0.85" />
    </svg>
  );
}
