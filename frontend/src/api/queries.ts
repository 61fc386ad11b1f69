/** Every question to the server, by noun, in the order of the flow. Pages ask here and nowhere else; files go by `upload`. */
import { keepPreviousData, type QueryClient, queryOptions } from "@tanstack/react-query";
import { api, call, Problem, setCsrf } from "./client";
import type { Me, NewJudgment, NewModel, NewProject, NewRewardSet, ProjectChange, Role, RunState, Scope } from "./types";

const project = (slug: string) => ({ params: { path: { project: slug } } });

// Accounts

async function asMe(answer: Promise<Me>): Promise<Me> {
  const me = await answer;
  setCsrf(me.csrf_token);
  return me;
}

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: () => asMe(call(api.GET("/api/v1/me"))),
  staleTime: 5 * 60_000,
  retry: (times, error) => times < 2 && error instanceof Problem && error.passing,
});

export const signIn = (body: { email: string; password: string }) => asMe(call(api.POST("/api/v1/session", { body })));
export const changeMe = (body: { name?: string; password?: string; current_password?: string }) => call(api.PATCH("/api/v1/me", { body }));
export const signOut = () => call(api.DELETE("/api/v1/session"));

export const invitationQuery = (token: string) =>
  queryOptions({
    queryKey: ["invitation", token],
    queryFn: () => call(api.GET("/api/v1/invitations/{token}", { params: { path: { token } } })),
    retry: false,
  });
export const acceptInvitation = (token: string, body: { email: string; name: string | null; password: string }) =>
  asMe(call(api.POST("/api/v1/invitations/{token}/accept", { params: { path: { token } }, body })));
export const invite = (body: { role: Role; email: string | null; days: number }) => call(api.POST("/api/v1/invitations", { body }));

export const usersQuery = queryOptions({
  queryKey: ["users"],
  queryFn: () => call(api.GET("/api/v1/users", { params: { query: { limit: 200 } } })),
});
export const changeUser = (id: string, body: { name?: string; role?: Role; disabled?: boolean; password?: string }) =>
  call(api.PATCH("/api/v1/users/{id}", { params: { path: { id } }, body }));

export const tokensQuery = queryOptions({ queryKey: ["tokens"], queryFn: () => call(api.GET("/api/v1/tokens")) });
export const createToken = (body: { name: string; scopes: Scope[]; expires_at: string | null }) => call(api.POST("/api/v1/tokens", { body }));
export const deleteToken = (id: string) => call(api.DELETE("/api/v1/tokens/{id}", { params: { path: { id } } }));

// Projects

export const projectsQuery = queryOptions({
  queryKey: ["projects"],
  queryFn: () => call(api.GET("/api/v1/projects", { params: { query: { limit: 200 } } })),
  staleTime: 30_000,
});
/** Only for admins: those that were put away. */
export const archivedProjectsQuery = queryOptions({
  queryKey: ["projects", "archived"],
  queryFn: () => call(api.GET("/api/v1/projects", { params: { query: { limit: 200, archived: true } } })),
});
export const projectQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug],
    queryFn: () => call(api.GET("/api/v1/projects/{project}", project(slug))),
    staleTime: 10_000,
  });
export const createProject = (body: NewProject) => call(api.POST("/api/v1/projects", { body }));
export const changeProject = (slug: string, body: ProjectChange) => call(api.PATCH("/api/v1/projects/{project}", { ...project(slug), body }));
export const guidelinesQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "guidelines"],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/guidelines", project(slug))),
    staleTime: 10_000,
  });
export const progressQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "progress"],
    queryFn: () =>
      call(
        api.GET("/api/v1/projects/{project}/progress", {
          params: { path: { project: slug }, query: { utc_offset_minutes: -new Date().getTimezoneOffset() } },
        }),
      ),
    staleTime: 10_000,
  });

export const askingQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "asking"],
    queryFn: () =>
      call(
        api.GET("/api/v1/projects/{project}/asking", {
          params: { path: { project: slug }, query: { utc_offset_minutes: -new Date().getTimezoneOffset() } },
        }),
      ),
    staleTime: 30_000,
  });

export function exportUrl(slug: string, what: string, format: string, layout: string): string {
  return `/api/v1/projects/${encodeURIComponent(slug)}/export?${new URLSearchParams({ what, format, layout })}`;
}

export function tensorboardUrl(run: string): string {
  return `/api/v1/runs/${run}/tensorboard`;
}

// Prompts and completions

export const promptsQuery = (slug: string, q: string, after: string | null) =>
  queryOptions({
    queryKey: ["project", slug, "prompts", q, after],
    queryFn: () =>
      call(api.GET("/api/v1/projects/{project}/prompts", { params: { path: { project: slug }, query: { limit: 50, after: after ?? undefined, q: q || undefined } } })),
    placeholderData: keepPreviousData,
  });
export const promptQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ["project", slug, "prompt", id],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/prompts/{prompt_id}", { params: { path: { project: slug, prompt_id: id } } })),
  });

// Comparisons and judgments

export const nextComparisons = (slug: string, count: number) =>
  call(api.POST("/api/v1/projects/{project}/comparisons/next", { params: { path: { project: slug }, query: { count } } }));
export const judge = (id: string, body: NewJudgment) => call(api.PUT("/api/v1/judgments/{judgment_id}", { params: { path: { judgment_id: id } }, body }));
export const voidJudgment = (id: string) => call(api.DELETE("/api/v1/judgments/{judgment_id}", { params: { path: { judgment_id: id } } }));
export const skip = (comparison: string, reason: string | null) => call(api.POST("/api/v1/comparisons/{comparison_id}/skip", { params: { path: { comparison_id: comparison } }, body: { reason } }));
export const unskip = (comparison: string) => call(api.POST("/api/v1/comparisons/{comparison_id}/unskip", { params: { path: { comparison_id: comparison } } }));
export const flag = (comparison: string, reason: string) => call(api.POST("/api/v1/comparisons/{comparison_id}/flag", { params: { path: { comparison_id: comparison } }, body: { reason } }));
export const unflag = (id: string) => call(api.DELETE("/api/v1/flags/{flag_id}", { params: { path: { flag_id: id } } }));
export const renewLease = (id: string) => call(api.POST("/api/v1/leases/{lease_id}/renew", { params: { path: { lease_id: id } } }));

export const myJudgmentsQuery = (slug: string, limit: number) =>
  queryOptions({
    queryKey: ["project", slug, "my-judgments", limit],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/my-judgments", { params: { path: { project: slug }, query: { limit } } })),
  });
export const myWorkQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "my-work"],
    queryFn: () =>
      call(
        api.GET("/api/v1/projects/{project}/my-work", {
          params: { path: { project: slug }, query: { utc_offset_minutes: -new Date().getTimezoneOffset() } },
        }),
      ),
  });
export const peopleRankingQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "people-ranking"],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/people-ranking", project(slug))),
  });
export const annotatorsQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "annotators"],
    queryFn: () =>
      call(
        api.GET("/api/v1/projects/{project}/annotators", {
          params: { path: { project: slug }, query: { utc_offset_minutes: -new Date().getTimezoneOffset() } },
        }),
      ),
  });
export const agreementQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "agreement"],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/agreement", project(slug))),
  });

// Ratings and rewards

export const rewardSetsQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "reward-sets"],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/reward-sets", project(slug))),
  });
export const createRewardSet = (slug: string, body: NewRewardSet) =>
  call(api.POST("/api/v1/projects/{project}/reward-sets", { ...project(slug), body }));
export const rewardQuery = (set: string, completion: string) =>
  queryOptions({
    queryKey: ["reward-set", set, "reward", completion],
    queryFn: () => call(api.GET("/api/v1/reward-sets/{reward_set_id}/rewards/{completion_id}", { params: { path: { reward_set_id: set, completion_id: completion } } })),
    staleTime: Infinity,
  });
export const compareRewardSetsQuery = (set: string, other: string) =>
  queryOptions({
    queryKey: ["reward-set", set, "compare", other],
    queryFn: () => call(api.GET("/api/v1/reward-sets/{reward_set_id}/compare/{other_id}", { params: { path: { reward_set_id: set, other_id: other } } })),
    staleTime: Infinity,
  });
export const rewardSetQuery = (id: string) =>
  queryOptions({ queryKey: ["reward-set", id], queryFn: () => call(api.GET("/api/v1/reward-sets/{reward_set_id}", { params: { path: { reward_set_id: id } } })) });
export const rewardsQuery = (id: string, after: string | null) =>
  queryOptions({
    queryKey: ["reward-set", id, "rewards", after],
    queryFn: () => call(api.GET("/api/v1/reward-sets/{reward_set_id}/rewards", { params: { path: { reward_set_id: id }, query: { limit: 50, after: after ?? undefined } } })),
    placeholderData: keepPreviousData,
  });

// Models, runs, checkpoints

export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: () => call(api.GET("/api/v1/models", { params: { query: { limit: 200 } } })),
  staleTime: 10_000,
});
export const createModel = (body: NewModel) => call(api.POST("/api/v1/models", { body }));

export const runKindsQuery = queryOptions({
  queryKey: ["run-kinds"],
  queryFn: () => call(api.GET("/api/v1/run-kinds")),
  staleTime: Infinity,
});
export const runsQuery = (filter: { project?: string; state?: RunState; kind?: string; name?: string }, after: string | null = null) =>
  queryOptions({
    queryKey: ["runs", filter, after],
    queryFn: () => call(api.GET("/api/v1/runs", { params: { query: { ...filter, limit: 50, after: after ?? undefined } } })),
    placeholderData: keepPreviousData,
  });
export const runQuery = (id: string) =>
  queryOptions({ queryKey: ["run", id], queryFn: () => call(api.GET("/api/v1/runs/{id}", { params: { path: { id } } })) });
/** config: as JSON, so that it can be told from another. */
export const runEstimateQuery = (slug: string, kind: string, config: string) =>
  queryOptions({
    queryKey: ["project", slug, "run-estimate", kind, config],
    queryFn: () => call(api.POST("/api/v1/projects/{project}/runs/estimate", { ...project(slug), body: { kind, config: JSON.parse(config) as Record<string, unknown> } })),
    staleTime: 30_000,
    retry: false,
  });
export const startRun = (body: { project: string; kind: string; config: Record<string, unknown>; name: string | null }) => call(api.POST("/api/v1/runs", { body }));
export const cancelRun = (id: string) => call(api.POST("/api/v1/runs/{id}/cancel", { params: { path: { id } } }));
export const openContest = (slug: string, models: string[], prompts: "all" | "train" | "held_out") =>
  call(api.POST("/api/v1/projects/{project}/contests", { ...project(slug), body: { models, prompts } }));
export const resumeRun = (id: string) => call(api.POST("/api/v1/runs/{id}/resume", { params: { path: { id } } }));
export const runMetrics = (id: string, after: number) => call(api.GET("/api/v1/runs/{id}/metrics", { params: { path: { id }, query: { after } } }));
export const runSampleSteps = (id: string, after: number) => call(api.GET("/api/v1/runs/{id}/sample-steps", { params: { path: { id }, query: { after } } }));
/** The texts of one step; another attempt may tell them anew. */
export const runSamplesQuery = (run: { id: string; attempt: number }, step: number) =>
  queryOptions({
    queryKey: ["run", run.id, "samples", run.attempt, step],
    queryFn: () => call(api.GET("/api/v1/runs/{id}/samples", { params: { path: { id: run.id }, query: { step } } })),
    placeholderData: keepPreviousData,
    staleTime: 5_000,
  });
export const runLog = (id: string, after: number) => call(api.GET("/api/v1/runs/{id}/log", { params: { path: { id }, query: { after } } }));

export const checkpointsQuery = queryOptions({
  queryKey: ["checkpoints"],
  queryFn: () => call(api.GET("/api/v1/checkpoints", { params: { query: { limit: 200 } } })),
  staleTime: 10_000,
});
export const checkpointQuery = (id: string) =>
  queryOptions({ queryKey: ["checkpoint", id], queryFn: () => call(api.GET("/api/v1/checkpoints/{id}", { params: { path: { id } } })) });
export const promoteCheckpoint = (id: string) => call(api.POST("/api/v1/checkpoints/{id}/promote", { params: { path: { id } } }));

/** Everything that this project shows may have changed. */
export function projectChanged(client: QueryClient, slug: string): Promise<void> {
  return Promise.all([
    client.invalidateQueries({ queryKey: ["project", slug] }),
    client.invalidateQueries({ queryKey: ["projects"] }),
  ]).then(() => undefined);
}
