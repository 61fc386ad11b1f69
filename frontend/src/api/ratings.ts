/** Questions to the server about ratings: boards of models, who wins against whom, how it came about. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, call } from "./client";

const at = <Query extends object>(slug: string, query: Query) => ({ params: { path: { project: slug }, query } });

export type Method = "elo" | "bradley_terry";

/** Elo of the models. Without a K the server takes its own; `orders`: how it comes out in so many random orders. */
export const ratingsQuery = (slug: string, k: number | null = null, orders = 0) =>
  queryOptions({
    queryKey: ["project", slug, "ratings", k, orders],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/ratings", at(slug, { of: "models" as const, method: "elo" as const, k: k ?? undefined, orders: orders || undefined }))),
    placeholderData: keepPreviousData,
  });

export type Cluster = "prompt" | "annotator" | "both";
export interface Taken {
  controls: boolean;
  side: boolean;
  weighted: boolean;
}
export const leaderboardQuery = (slug: string, cluster: Cluster, taken: Taken) =>
  queryOptions({
    queryKey: ["project", slug, "leaderboard", cluster, taken],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/leaderboard", at(slug, { cluster, ...taken }))),
    placeholderData: keepPreviousData,
  });
export const winMatrixQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "win-matrix"],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/win-matrix", { params: { path: { project: slug } } })),
  });
export const ratingHistoryQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "rating-history"],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/ratings/history", at(slug, {}))),
  });
/** How a reward set is spread; with `other`, the points are those that both sets hold. */
export const rewardShapeQuery = (set: string, other: string | null = null) =>
  queryOptions({
    queryKey: ["reward-set", set, "shape", other],
    queryFn: () => call(api.GET("/api/v1/reward-sets/{reward_set_id}/shape", { params: { path: { reward_set_id: set }, query: { other: other ?? undefined } } })),
    staleTime: Infinity,
  });
