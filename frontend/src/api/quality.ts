/** Questions to the server about the quality of the work: gold, people, what needs a look, disagreements, voidings. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, call } from "./client";
import type { Adjudication, Gold, GoldChange, JudgmentFilter, NewGold, StandingDecision } from "./types";

const at = <Query extends object>(slug: string, query: Query) => ({ params: { path: { project: slug }, query } });

// Gold

/** All of it: a project has tens, seldom hundreds. */
export const goldQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "gold"],
    queryFn: async () => {
      const all: Gold[] = [];
      for (let after: string | undefined; ; ) {
        const page = await call(api.GET("/api/v1/projects/{project}/gold", at(slug, { limit: 200, after })));
        all.push(...page.items);
        if (!page.next) return all;
        after = page.next;
      }
    },
  });
export const addGold = (slug: string, body: NewGold) => call(api.POST("/api/v1/projects/{project}/gold", { params: { path: { project: slug } }, body }));
export const changeGold = (id: string, body: GoldChange) => call(api.PATCH("/api/v1/gold/{gold_id}", { params: { path: { gold_id: id } }, body }));

// People at work

export const personQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ["project", slug, "annotators", id],
    queryFn: () =>
      call(
        api.GET("/api/v1/projects/{project}/annotators/{user_id}", {
          params: { path: { project: slug, user_id: id }, query: { utc_offset_minutes: -new Date().getTimezoneOffset() } },
        }),
      ),
  });
/** Of all, or of one annotator with the others. */
export const agreementHistoryQuery = (slug: string, by: "time" | "guidelines_version", annotator?: string) =>
  queryOptions({
    queryKey: ["project", slug, "agreement", by, annotator ?? null],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/agreement/history", at(slug, { by, annotator, utc_offset_minutes: -new Date().getTimezoneOffset() }))),
  });
export const annotatorFitQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "annotator-fits"],
    queryFn: async () => (await call(api.GET("/api/v1/projects/{project}/annotator-fits", at(slug, { limit: 1 })))).items[0] ?? null,
  });
export const fitAnnotators = (slug: string) => call(api.POST("/api/v1/projects/{project}/annotator-fits", { params: { path: { project: slug } } }));
export const decideStanding = (slug: string, id: string, body: StandingDecision) =>
  call(api.POST("/api/v1/projects/{project}/annotators/{annotator_id}/standing", { params: { path: { project: slug, annotator_id: id } }, body }));
export const voidingsQuery = (slug: string) =>
  queryOptions({
    queryKey: ["project", slug, "voidings"],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/voidings", at(slug, { limit: 200 }))),
  });
export const voidAll = (slug: string, body: { annotator: string; reason: string }) => call(api.POST("/api/v1/projects/{project}/voidings", { params: { path: { project: slug } }, body }));
export const restoreVoiding = (id: string) => call(api.DELETE("/api/v1/voidings/{voiding_id}", { params: { path: { voiding_id: id } } }));

// What needs a look

export const flagsQuery = (slug: string, open: boolean, after: string | null = null) =>
  queryOptions({
    queryKey: ["project", slug, "flags", open, after],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/flags", at(slug, { open, limit: 50, after: after ?? undefined }))),
    placeholderData: keepPreviousData,
  });
export const resolveFlag = (id: string, resolution: string | null) => call(api.POST("/api/v1/flags/{flag_id}/resolve", { params: { path: { flag_id: id } }, body: { resolution } }));
export const reopenFlag = (id: string) => call(api.DELETE("/api/v1/flags/{flag_id}/resolution", { params: { path: { flag_id: id } } }));
export const skipsQuery = (slug: string, after: string | null = null) =>
  queryOptions({
    queryKey: ["project", slug, "skips", after],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/skips", at(slug, { limit: 50, after: after ?? undefined }))),
    placeholderData: keepPreviousData,
  });
export const settleSkips = (slug: string, set: string) => call(api.POST("/api/v1/projects/{project}/skips/{set_key}/settle", { params: { path: { project: slug, set_key: set } } }));

// Judgments and disagreements

export const judgmentsQuery = (slug: string, filter: JudgmentFilter, after: string | null, limit = 50) =>
  queryOptions({
    queryKey: ["project", slug, "judgments", filter, after, limit],
    queryFn: () => call(api.GET("/api/v1/projects/{project}/judgments", at(slug, { ...filter, limit, after: after ?? undefined }))),
    placeholderData: keepPreviousData,
  });
export const judgmentQuery = (slug: string, id: string) =>
  queryOptions({
    queryKey: ["project", slug, "judgment", id],
    queryFn: () => call(api.GET("/api/v1/judgments/{judgment_id}", { params: { path: { judgment_id: id } } })),
  });
/** The strongest first. */
export const disagreementsQuery = (slug: string, adjudicated: boolean) =>
  infiniteQueryOptions({
    queryKey: ["project", slug, "disagreements", adjudicated],
    queryFn: ({ pageParam }) => call(api.GET("/api/v1/projects/{project}/disagreements", at(slug, { adjudicated, limit: 30, after: pageParam }))),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next ?? undefined,
  });
export const adjudicate = (slug: string, body: Adjudication) => call(api.POST("/api/v1/projects/{project}/adjudications", { params: { path: { project: slug } }, body }));
