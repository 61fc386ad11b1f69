/** The frame: a slim side bar with the project and its pages, the page beside it, and the live region. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useLocation, useNavigate, useParams, useRouteContext, useRouter } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { closeOutbox, openOutbox, useOutbox } from "../annotate/session";
import { flagsQuery, skipsQuery } from "../api/quality";
import { meQuery, projectsQuery, signOut } from "../api/queries";
import { setCsrf } from "../api/client";
import { count } from "../format";
import { setPreferences, usePreferences } from "../preferences";
import { ANNOUNCER_ID, announce } from "./announcer";
import { IconButton } from "./Button";
import { Icon, type IconName, Mark } from "./Icon";

export function Layout() {
  const { t } = useTranslation("frame");
  const { me } = useRouteContext({ from: "/app" });
  const params = useParams({ strict: false });
  const preferences = usePreferences();
  const { data } = useQuery(projectsQuery);
  const location = useLocation();
  const [open, setOpen] = useState(false);
  const projects = data?.items ?? [];
  const wanted = params.project ?? preferences.project;
  const project = projects.find((one) => one.slug === wanted || one.id === wanted)?.slug ?? (params.project ? params.project : (projects[0]?.slug ?? null));
  const annotating = location.pathname.endsWith("/annotate");
  const rail = annotating || preferences.rail;

  useEffect(() => setOpen(false), [location.pathname]);
  useArrival();

  return (
    <div className="flex min-h-dvh flex-col md:flex-row">
      <a href="#main" className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-raised focus:px-3 focus:py-2 focus:shadow-float">
        {t("skip")}
      </a>
      <header className="flex items-center gap-1 border-b border-line px-2 py-1 md:hidden">
        <IconButton icon={open ? "close" : "menu"} label={t("menu")} aria-expanded={open} className="size-11" onClick={() => setOpen(!open)} />
        <Link to="/" className="flex items-center gap-2 px-1 py-2">
          <Mark size={20} />
          <span className="title text-lg leading-none">Podium</span>
        </Link>
        <span className="ml-auto min-w-0 truncate px-2 text-sm text-faint">{projects.find((one) => one.slug === project)?.name}</span>
      </header>
      <nav
        aria-label={t("main")}
        className={`${open ? "flex" : "hidden"} shrink-0 flex-col gap-0.5 border-line bg-page p-2 max-md:border-b md:sticky md:top-0 md:flex md:h-dvh md:overflow-y-auto md:border-r ${rail ? "md:w-[3.6rem]" : "md:w-[13.5rem]"}`}
      >
        <Link to="/" className={`mb-2 hidden items-center gap-2.5 rounded-md py-2 md:flex ${rail ? "justify-center" : "px-2.5"}`} aria-label={t("start")}>
          <Mark />
          {!rail && <span className="title text-xl leading-none">Podium</span>}
        </Link>
        <ProjectSwitch project={project} projects={projects} rail={rail} />
        {project && (
          <>
            <Item to="/projects/$project/annotate" params={{ project }} icon="annotate" label={t("annotate")} rail={rail} />
            <Item to="/projects/$project/mine" params={{ project }} icon="mine" label={t("mine")} rail={rail} />
          </>
        )}
        {me.user.role === "admin" && (
          <>
            <Rule />
            {project && (
              <>
                <Item to="/projects/$project" params={{ project }} icon="overview" label={t("overview")} rail={rail} exact also={`/projects/${project}/asking`} />
                <Item to="/projects/$project/prompts" params={{ project }} icon="prompts" label={t("prompts")} rail={rail} />
                <Item to="/projects/$project/leaderboard" params={{ project }} icon="leaderboard" label={t("leaderboard")} rail={rail} also={`/projects/${project}/history`} />
                <Item to="/projects/$project/judgments" params={{ project }} icon="judgments" label={t("judgments")} rail={rail} />
                <Item to="/projects/$project/disagreements" params={{ project }} icon="split" label={t("disagreements")} rail={rail} />
                <Attention project={project} rail={rail} />
                <Item to="/projects/$project/annotators" params={{ project }} icon="team" label={t("annotators")} rail={rail} also={`/projects/${project}/agreement`} />
                <Item to="/projects/$project/gold" params={{ project }} icon="gold" label={t("gold")} rail={rail} />
                <Item to="/projects/$project/rewards" params={{ project }} icon="rewards" label={t("rewards")} rail={rail} />
              </>
            )}
            <Item to="/runs" icon="runs" label={t("runs")} rail={rail} also={`/projects/${project}/new-run`} />
            <Item to="/checkpoints" icon="checkpoints" label={t("checkpoints")} rail={rail} />
            <Item to="/models" icon="models" label={t("models")} rail={rail} />
            <Rule />
            <Item to="/people" icon="people" label={t("people")} rail={rail} />
            {project && <Item to="/projects/$project/settings" params={{ project }} icon="settings" label={t("settings")} rail={rail} />}
          </>
        )}
        <div className="mt-auto grid gap-0.5 pt-4">
          <Unsent user={me.user.id} annotating={annotating} rail={rail} />
          <Item to="/preferences" icon="keyboard" label={t("preferences")} rail={rail} />
          <Account name={me.user.name || me.user.email || t("account")} rail={rail} />
        </div>
      </nav>
      <main id="main" tabIndex={-1} className="min-w-0 flex-1 outline-none">
        <Outlet />
      </main>
      <div id={ANNOUNCER_ID} aria-live="polite" role="status" className="sr-only" />
    </div>
  );
}

/**
 * A page that replaces another is silent to screen readers, and takes the focus with it when the link that led here was
 * on the old one: its name is said, and the focus goes to the content.
 */
function useArrival(): void {
  const router = useRouter();
  useEffect(
    () =>
      router.subscribe("onRendered", ({ fromLocation, toLocation }) => {
        if (!fromLocation || fromLocation.pathname === toLocation.pathname) return;
        announce(document.title.replace(/ · Podium$/, ""));
        if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
      }),
    [router],
  );
}

const ITEM = "flex min-h-9 items-center gap-2.5 rounded-md max-md:min-h-11";
const ELSEWHERE = "text-soft hover:bg-sunken hover:text-ink";
const HERE = "bg-accent-wash font-medium text-accent";

interface ItemProps {
  to: string;
  params?: Record<string, string>;
  icon: IconName;
  label: string;
  rail: boolean;
  exact?: boolean;
  /** The path of a page that belongs here although it does not lie below. */
  also?: string;
  /** A count of what waits there. */
  badge?: { short: string; said: string };
}

function Item({ to, params, icon, label, rail, exact, also, badge }: ItemProps) {
  const here = { className: HERE, "aria-current": "page" } as const;
  const { pathname } = useLocation();
  return (
    <Link to={to} params={params as never} activeOptions={{ exact, includeSearch: false }} className={`${ITEM} relative px-2.5 ${rail ? "md:justify-center md:px-0" : ""}`} activeProps={here} inactiveProps={pathname === also ? here : { className: ELSEWHERE }} title={rail ? label : undefined}>
      <Icon name={icon} />
      <Label rail={rail}>{label}</Label>
      {badge && <span className={`rounded-full bg-warn-wash px-1.5 text-xs font-medium text-warn ${rail ? "md:absolute md:top-0 md:right-0" : "ml-auto"}`}><span aria-hidden="true">{badge.short}</span><span className="sr-only">, {badge.said}</span></span>}
    </Link>
  );
}

/** What annotators skipped or flagged and nobody has settled yet, counted. */
function Attention({ project, rail }: { project: string; rail: boolean }) {
  const { t } = useTranslation("frame");
  const flags = useQuery({ ...flagsQuery(project, true), refetchInterval: 60_000 }).data;
  const skips = useQuery({ ...skipsQuery(project), refetchInterval: 60_000 }).data;
  const open = (flags?.items.length ?? 0) + (skips?.items.length ?? 0);
  const more = flags?.next || skips?.next ? "+" : "";
  return <Item to="/projects/$project/attention" params={{ project }} icon="flag" label={t("attention")} rail={rail} badge={open > 0 ? { short: `${open}${more}`, said: t("waiting", { n: `${open}${more}` }) } : undefined} />;
}

/** On the rail the text is for screen readers only; on a phone the whole menu is written out. */
function Label({ rail, children }: { rail: boolean; children: ReactNode }) {
  return <span className={rail ? "truncate md:sr-only" : "truncate"}>{children}</span>;
}

function Rule() {
  return <hr className="mx-2 my-2 border-line" />;
}

function ProjectSwitch({ project, projects, rail }: { project: string | null; projects: { slug: string; name: string }[]; rail: boolean }) {
  const { t } = useTranslation("frame");
  const navigate = useNavigate();
  const location = useLocation();
  const { me } = useRouteContext({ from: "/app" });
  if (rail) {
    return (
      <div className="max-md:hidden">
        <Item to="/projects" icon="book" label={t("projects")} rail exact />
      </div>
    );
  }
  const choose = (slug: string) => {
    if (slug === "*") return void navigate({ to: "/projects" });
    setPreferences({ project: slug });
    const [, first, , ...rest] = location.pathname.split("/");
    const page = first === "projects" ? (rest[0] ?? "") : me.user.role === "admin" ? "" : "annotate";
    void navigate({ to: `/projects/${slug}${page && page !== "new-run" ? `/${page}` : ""}` });
  };
  return (
    <div className="mb-2">
      <label htmlFor="project-switch" className="sr-only">{t("project")}</label>
      <select id="project-switch" className="field truncate font-medium" value={project ?? "*"} onChange={(event) => choose(event.target.value)}>
        {projects.map((one) => (
          <option key={one.slug} value={one.slug}>{one.name}</option>
        ))}
        <option value="*">{t("allProjects")}</option>
      </select>
    </div>
  );
}

/** Judgments still on their way, told on every page. */
function Unsent({ user, annotating, rail }: { user: string; annotating: boolean; rail: boolean }) {
  const { t } = useTranslation("frame");
  const outbox = openOutbox(user);
  const state = useOutbox(outbox);
  const waiting = state.waiting.filter((entry) => entry.what === "judgment").length;
  if (annotating || waiting === 0) return null;
  const text = t(`unsent.${state.signedOut ? "signedOut" : state.trouble ? "offline" : "saving"}`, { n: count(waiting) });
  return (
    <button type="button" onClick={outbox.retry} title={t("unsent.sendNow", { state: text })} className={`${ITEM} bg-warn-wash px-2.5 text-left text-warn ${rail ? "md:justify-center md:px-0" : ""}`}>
      <Icon name="cloud" />
      <Label rail={rail}>{text}</Label>
    </button>
  );
}

function Account({ name, rail }: { name: string; rail: boolean }) {
  const { t } = useTranslation("frame");
  const client = useQueryClient();
  const navigate = useNavigate();
  const leave = async () => {
    await signOut().catch(() => undefined);
    closeOutbox();
    setCsrf(null);
    client.clear();
    await client.invalidateQueries({ queryKey: meQuery.queryKey });
    void navigate({ to: "/login" });
  };
  return (
    <div className={`flex items-center gap-1 ${rail ? "md:flex-col" : ""}`}>
      <span className={`min-w-0 flex-1 truncate px-2.5 text-sm text-faint ${rail ? "md:hidden" : ""}`} title={name}>{name}</span>
      <IconButton icon="out" label={t("signOut")} onClick={() => void leave()} />
    </div>
  );
}
