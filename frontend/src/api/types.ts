/** Short names for the wire types of schema.d.ts, so that pages do not spell out the generated paths. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export type User = Schemas["User"];
export type Role = User["role"];
export type Invitation = Schemas["InvitationMade"];
export type Token = Schemas["Token"];
export type Scope = Me["scopes"][number];
export type Project = Schemas["ProjectOut"];
export type NewProject = Schemas["ProjectIn"];
export type NewRewardSet = Schemas["RewardSetIn"];
export type ProjectChange = Schemas["ProjectPatch"];
export type Protocol = Schemas["Protocol"];
export type Aspect = Schemas["Aspect"];
export type ImportReport = Schemas["ImportReport"];
export type Message = Schemas["MessageOut"];
export type PromptRow = Schemas["PromptOut"];
export type Prompt = Schemas["PromptDetail"];
export type JudgmentRow = Schemas["JudgmentOut"];
export type Progress = Schemas["ProgressOut"];
export type Model = Schemas["ModelOut"];
export type NewModel = Schemas["ModelIn"];
export type Comparison = Schemas["ShownComparison"];
export type NewJudgment = Schemas["JudgmentIn"];
export type Judgment = Schemas["JudgmentReceipt"];
export type MyJudgment = Schemas["OwnJudgment"];
export type MyWork = Schemas["OwnWork"];
export type Rating = Schemas["RatingOut"];
export type RewardSet = Schemas["RewardSetOut"];
export type RunKind = Schemas["RunKind"];
export type Run = Schemas["RunOut"];
export type RunState = Run["state"];
export type MetricPoint = Schemas["MetricsOut"];
export type Sample = Schemas["SampleOut"];
export type LogLine = Schemas["LogLine"];
export type Checkpoint = Schemas["CheckpointOut"];
