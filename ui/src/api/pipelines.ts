// Calls of pipelines, their runs and approvals. What the description leaves a text is narrowed here.
import type { components } from "./generated/native";
import { call } from "./http";

type Schemas = components["schemas"];
type Narrow<Base, Over> = Omit<Base, keyof Over> & Over;

export type PipelineRunStatus = "queued" | "running" | "succeeded" | "failed" | "canceled";
export type JobStatus = "waiting" | "queued" | "running" | "awaiting_approval" | "succeeded" | "cached" | "failed" | "skipped" | "canceled";
export type AttemptStatus = "running" | "succeeded" | "failed" | "lost" | "canceled";
/** A value of a parameter or of a cell of a matrix. */
export type Scalar = string | number | boolean;

export type Pipeline = Schemas["Pipeline"];
export type PipelineJob = Schemas["PipelineJob"];
export type PipelineParam = Narrow<
  Schemas["PipelineParam"],
  { type: "str" | "int" | "float" | "bool" | "choice"; default: Scalar | null; min: number | null; max: number | null }
>;
export type PipelineDetail = Narrow<Schemas["PipelineDetail"], { params: PipelineParam[] }>;
export type PipelineRun = Narrow<
  Schemas["PipelineRun"],
  { status: PipelineRunStatus; params: Record<string, Scalar>; trigger_detail: Record<string, unknown> }
>;
export type PipelineRunPage = Narrow<Schemas["PipelineRunPage"], { runs: PipelineRun[] }>;
export type Job = Narrow<Schemas["Job"], { status: JobStatus; matrix: Record<string, Scalar> }>;
export type PipelineRunDetail = Narrow<Schemas["PipelineRunDetail"], { run: PipelineRun; jobs: Job[] }>;
export type Attempt = Narrow<Schemas["Attempt"], { status: AttemptStatus }>;
export type Decision = Narrow<Schemas["Decision"], { decision: "approve" | "reject" }>;
export type Approval = Narrow<Schemas["Approval"], { decisions: Decision[] }>;
export type JobLog = Schemas["JobLog"];

const v1 = "/api/v1";
const segment = encodeURIComponent;
const ofPipeline = (name: string, rest = "") => `${v1}/pipelines/${segment(name)}${rest}`;
const ofRun = (id: string, rest = "") => `${v1}/pipeline-runs/${segment(id)}${rest}`;
const ofJob = (id: string, job: string, rest: string) => ofRun(id, `/jobs/${segment(job)}${rest}`);

export const pipelines = {
  list: (project: string, query: { page_token?: string; max_results?: number }, signal?: AbortSignal) =>
    call<Schemas["PipelinePage"]>(project, "GET", `${v1}/pipelines`, { query, signal }),
  get: (project: string, name: string, signal?: AbortSignal) => call<PipelineDetail>(project, "GET", ofPipeline(name), { signal }),
  setPaused: (project: string, name: string, isPaused: boolean) => call<Pipeline>(project, "POST", ofPipeline(name, isPaused ? "/pause" : "/resume")),
  start: (project: string, name: string, params: Record<string, Scalar>) => call<PipelineRun>(project, "POST", ofPipeline(name, "/runs"), { body: { params } }),

  runs: (project: string, query: { pipeline?: string; status?: string; page_token?: string; max_results?: number }, signal?: AbortSignal) =>
    call<PipelineRunPage>(project, "GET", `${v1}/pipeline-runs`, { query, signal }),
  run: (project: string, id: string, signal?: AbortSignal) => call<PipelineRunDetail>(project, "GET", ofRun(id), { signal }),
  cancel: (project: string, id: string) => call<PipelineRun>(project, "POST", ofRun(id, "/cancel")),
  retry: (project: string, id: string) => call<PipelineRun>(project, "POST", ofRun(id, "/retry")),

  attempts: (project: string, id: string, job: string, signal?: AbortSignal) =>
    call<{ attempts: Attempt[] }>(project, "GET", ofJob(id, job, "/attempts"), { signal }),
  log: (project: string, id: string, job: string, query: { attempt?: number; offset?: number }, signal?: AbortSignal) =>
    call<JobLog>(project, "GET", ofJob(id, job, "/logs"), { query, signal }),
  decide: (project: string, id: string, job: string, decision: Decision["decision"], comment: string) =>
    call<unknown>(project, "POST", ofJob(id, job, `/${decision}`), { body: { comment } }),
  approvals: (project: string, signal?: AbortSignal) => call<{ approvals: Approval[] }>(project, "GET", `${v1}/approvals`, { signal }),
};
