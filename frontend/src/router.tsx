/** Every address of the pages, in the order of the flow. A page's code is loaded when it is first needed. */
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import { Problem } from "./api/client";
import { meQuery, projectsQuery } from "./api/queries";
import type { GoldUse, JudgmentFilter, Me, RunState } from "./api/types";
import { Bones } from "./components/Status";
import { Layout } from "./components/Layout";
import { i18n } from "./i18n";
import { CrashPage } from "./pages/CrashPage";
import { NotFoundPage } from "./pages/NotFoundPage";
import { getPreferences, setPreferences } from "./preferences";

interface Context {
  client: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ notFoundComponent: () => <main><NotFoundPage /></main>, errorComponent: CrashPage });

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const oneOf = <T extends string>(values: readonly T[], value: unknown): T | undefined => values.find((one) => one === value);

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Record<string, unknown>): { next?: string } => ({ next: text(search["next"]) }),
  component: lazyRouteComponent(() => import("./pages/LoginPage"), "LoginPage"),
});

const invitation = createRoute({
  getParentRoute: () => root,
  path: "/invitations/$token",
  component: lazyRouteComponent(() => import("./pages/InvitationPage"), "InvitationPage"),
});

/** The server refuses these pages' data to annotators; they should not meet a page full of refusals either. */
function adminsOnly({ context }: { context: { me: Me } }): void {
  if (context.me.user.role !== "admin") throw new Problem(403, i18n.t("common:adminsOnly"));
}

/** Everything behind the sign-in. */
const app = createRoute({
  getParentRoute: () => root,
  id: "app",
  beforeLoad: async ({ context, location }) => {
    try {
      return { me: await context.client.ensureQueryData(meQuery) };
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        throw redirect({ to: "/login", search: location.pathname === "/" ? {} : { next: location.href } });
      }
      throw error;
    }
  },
  component: Layout,
  notFoundComponent: NotFoundPage,
});

/** An annotator wants the next comparison, an admin the overview of the project used last. */
const home = createRoute({
  getParentRoute: () => app,
  path: "/",
  beforeLoad: async ({ context }) => {
    const projects = (await context.client.ensureQueryData(projectsQuery)).items;
    const used = projects.find((one) => one.slug === getPreferences().project) ?? (projects.length === 1 ? projects[0] : undefined);
    if (!used) throw redirect({ to: "/projects", replace: true });
    const admin = context.me.user.role === "admin";
    throw redirect({ to: admin ? "/projects/$project" : "/projects/$project/annotate", params: { project: used.slug }, replace: true });
  },
});

const projects = createRoute({
  getParentRoute: () => app,
  path: "/projects",
  validateSearch: (search: Record<string, unknown>): { archived?: boolean } => ({ archived: search["archived"] === true || undefined }),
  component: lazyRouteComponent(() => import("./pages/ProjectsPage"), "ProjectsPage"),
});
const newProject = createRoute({
  getParentRoute: () => app,
  path: "/new-project",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/NewProjectPage"), "NewProjectPage"),
});

const project = createRoute({
  getParentRoute: () => app,
  path: "/projects/$project",
  beforeLoad: ({ params }) => {
    if (getPreferences().project !== params.project) setPreferences({ project: params.project });
  },
});
const overview = createRoute({
  getParentRoute: () => project,
  path: "/",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/ProjectPage"), "ProjectPage"),
});
const annotate = createRoute({
  getParentRoute: () => project,
  path: "/annotate",
  // A judgment of one's own that is to be taken back and judged again.
  validateSearch: (search: Record<string, unknown>): { again?: string } => ({ again: text(search["again"]) }),
  component: lazyRouteComponent(() => import("./pages/AnnotatePage"), "AnnotatePage"),
});
const mine = createRoute({
  getParentRoute: () => project,
  path: "/mine",
  component: lazyRouteComponent(() => import("./pages/MyWorkPage"), "MyWorkPage"),
});
const prompts = createRoute({
  getParentRoute: () => project,
  path: "/prompts",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): { q?: string } => ({ q: text(search["q"]) }),
  component: lazyRouteComponent(() => import("./pages/PromptsPage"), "PromptsPage"),
});
const prompt = createRoute({
  getParentRoute: () => project,
  path: "/prompts/$prompt",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/PromptPage"), "PromptPage"),
});
const leaderboard = createRoute({
  getParentRoute: () => project,
  path: "/leaderboard",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/LeaderboardPage"), "LeaderboardPage"),
});
const history = createRoute({
  getParentRoute: () => project,
  path: "/history",
  beforeLoad: adminsOnly,
  // The models shown, by their ids.
  validateSearch: (search: Record<string, unknown>): { models?: string; axis?: "date" } => ({ models: text(search["models"]), axis: oneOf(["date"], search["axis"]) }),
  component: lazyRouteComponent(() => import("./pages/RatingHistoryPage"), "RatingHistoryPage"),
});
const judgments = createRoute({
  getParentRoute: () => project,
  path: "/judgments",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): JudgmentFilter => ({
    annotator: text(search["annotator"]),
    prompt: text(search["prompt"]),
    kind: oneOf(["regular", "repeat", "gold", "adjudication"] as const, search["kind"]),
    voided: typeof search["voided"] === "boolean" ? search["voided"] : undefined,
    disagreeing: search["disagreeing"] === true || undefined,
  }),
  component: lazyRouteComponent(() => import("./pages/JudgmentsPage"), "JudgmentsPage"),
});
const judgment = createRoute({
  getParentRoute: () => project,
  path: "/judgments/$judgment",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/JudgmentPage"), "JudgmentPage"),
});
const disagreements = createRoute({
  getParentRoute: () => project,
  path: "/disagreements",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): { show?: "open" | "decided" } => ({ show: oneOf(["open", "decided"], search["show"]) }),
  component: lazyRouteComponent(() => import("./pages/DisagreementsPage"), "DisagreementsPage"),
});
const asking = createRoute({
  getParentRoute: () => project,
  path: "/asking",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/AskingPage"), "AskingPage"),
});
const attention = createRoute({
  getParentRoute: () => project,
  path: "/attention",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): { flags?: "all" } => ({ flags: oneOf(["all"], search["flags"]) }),
  component: lazyRouteComponent(() => import("./pages/AttentionPage"), "AttentionPage"),
});
const annotators = createRoute({
  getParentRoute: () => project,
  path: "/annotators",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/AnnotatorsPage"), "AnnotatorsPage"),
});
const agreement = createRoute({
  getParentRoute: () => project,
  path: "/agreement",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/AgreementPage"), "AgreementPage"),
});
const annotator = createRoute({
  getParentRoute: () => project,
  path: "/annotators/$annotator",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/AnnotatorPage"), "AnnotatorPage"),
});
const gold = createRoute({
  getParentRoute: () => project,
  path: "/gold",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): { use?: GoldUse | "retired" } => ({ use: oneOf(["check", "practice", "qualification", "retired"], search["use"]) }),
  component: lazyRouteComponent(() => import("./pages/GoldPage"), "GoldPage"),
});
const newGold = createRoute({
  getParentRoute: () => project,
  path: "/gold/new",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): { prompt?: string; completions?: string } => ({ prompt: text(search["prompt"]), completions: text(search["completions"]) }),
  component: lazyRouteComponent(() => import("./pages/NewGoldPage"), "NewGoldPage"),
});
const goldItem = createRoute({
  getParentRoute: () => project,
  path: "/gold/$gold",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/GoldItemPage"), "GoldItemPage"),
});
const rewards = createRoute({
  getParentRoute: () => project,
  path: "/rewards",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/RewardSetsPage"), "RewardSetsPage"),
});
const rewardSet = createRoute({
  getParentRoute: () => project,
  path: "/rewards/$set",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/RewardSetPage"), "RewardSetPage"),
});
const settings = createRoute({
  getParentRoute: () => project,
  path: "/settings",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/ProjectSettingsPage"), "ProjectSettingsPage"),
});
const newRun = createRoute({
  getParentRoute: () => project,
  path: "/new-run",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): { kind?: string; from?: string; model?: string } => ({ kind: text(search["kind"]), from: text(search["from"]), model: text(search["model"]) }),
  component: lazyRouteComponent(() => import("./pages/NewRunPage"), "NewRunPage"),
});

const STATES: readonly string[] = ["queued", "running", "succeeded", "failed", "cancelled"];
const runs = createRoute({
  getParentRoute: () => app,
  path: "/runs",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): { project?: string; state?: RunState; kind?: string; name?: string } => ({
    project: text(search["project"]),
    name: text(search["name"]),
    state: STATES.includes(String(search["state"])) ? (search["state"] as RunState) : undefined,
    kind: text(search["kind"]),
  }),
  component: lazyRouteComponent(() => import("./pages/RunsPage"), "RunsPage"),
});
const run = createRoute({
  getParentRoute: () => app,
  path: "/runs/$run",
  beforeLoad: adminsOnly,
  validateSearch: (search: Record<string, unknown>): { over?: string } => ({ over: text(search["over"]) }),
  component: lazyRouteComponent(() => import("./pages/RunPage"), "RunPage"),
});
const checkpoints = createRoute({
  getParentRoute: () => app,
  path: "/checkpoints",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/CheckpointsPage"), "CheckpointsPage"),
});
const checkpoint = createRoute({
  getParentRoute: () => app,
  path: "/checkpoints/$checkpoint",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/CheckpointPage"), "CheckpointPage"),
});
const models = createRoute({
  getParentRoute: () => app,
  path: "/models",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/ModelsPage"), "ModelsPage"),
});
const people = createRoute({
  getParentRoute: () => app,
  path: "/people",
  beforeLoad: adminsOnly,
  component: lazyRouteComponent(() => import("./pages/PeoplePage"), "PeoplePage"),
});
const preferences = createRoute({
  getParentRoute: () => app,
  path: "/preferences",
  component: lazyRouteComponent(() => import("./pages/PreferencesPage"), "PreferencesPage"),
});

const tree = root.addChildren([
  login,
  invitation,
  app.addChildren([
    home,
    projects,
    newProject,
    project.addChildren([overview, annotate, mine, prompts, prompt, leaderboard, history, judgments, judgment, disagreements, asking, attention, annotators, annotator, agreement, gold, newGold, goldItem, rewards, rewardSet, settings, newRun]),
    runs,
    run,
    checkpoints,
    checkpoint,
    models,
    people,
    preferences,
  ]),
]);

export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    defaultPreload: "intent",
    defaultPendingMs: 250,
    defaultPendingComponent: () => <Bones rows={6} />,
    defaultErrorComponent: CrashPage,
    defaultNotFoundComponent: NotFoundPage,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
