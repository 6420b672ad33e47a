// What the server says of pipeline runs and jobs, as the pieces draw it: states, the graph, the timeline.
import type { Attempt, AttemptStatus, Job, JobStatus, Pipeline, PipelineJob, PipelineRun, PipelineRunStatus } from "../../api/pipelines";
import type { LedgerEvent } from "../../api/native";
import type { DagEdge, DagNode } from "../../components/dag-layout";
import { formatDuration } from "../../components/format";
import type { TimelineRow } from "../../components/timeline";
import type { TimelineSegment } from "../../components/timeline-scale";
import type { WorkState } from "../../components/work-state";

const workStates: Record<PipelineRunStatus | JobStatus | AttemptStatus, WorkState> = {
  waiting: "queued",
  queued: "queued",
  running: "running",
  awaiting_approval: "waiting",
  succeeded: "succeeded",
  cached: "cached",
  failed: "failed",
  lost: "failed",
  skipped: "skipped",
  canceled: "cancelled",
};

export const workState = (status: PipelineRunStatus | JobStatus | AttemptStatus): WorkState => workStates[status] ?? "queued";

export const isOngoing = ({ status }: Pick<PipelineRun, "status">) => status === "queued" || status === "running";

/** What counts first when one of many has to stand for all. */
const urgency: readonly JobStatus[] = ["awaiting_approval", "failed", "running", "queued", "succeeded", "cached", "skipped", "canceled", "waiting"];

const mostUrgent = (jobs: readonly Job[]): Job | undefined => {
  const first = urgency.find((status) => jobs.some((job) => job.status === status));
  return jobs.find((job) => job.status === first);
};

/** The job that is asked for (of a matrix, the cell that is), or the one that most needs to be looked at. */
export const jobToShow = (jobs: readonly Job[], wanted: string | undefined): Job | undefined =>
  jobs.find(({ job }) => job === wanted) ?? mostUrgent(jobs.filter(({ name }) => name === wanted)) ?? mostUrgent(jobs);

/** Whether there is something to read about a job. */
export const hasBegun = ({ status }: Pick<Job, "status">): boolean => status !== "waiting" && status !== "queued";

/** A job that failed while another one, which did not, is looked at. */
export const failedElsewhere = (jobs: readonly Job[], shown: Job | undefined): Job | undefined =>
  shown && shown.status !== "failed" ? jobs.find(({ status }) => status === "failed") : undefined;

/** When a job that failed is tried again, where that is not at once. */
export const retryAtMs = ({ status, attempt, not_before_ms: atMs }: Pick<Job, "status" | "attempt" | "not_before_ms">): number | undefined =>
  status === "queued" && attempt > 0 && atMs > 0 ? atMs : undefined;

/** `lgbm, seed 3`: the values of a cell, as people tell cells apart. */
export const cellWords = (matrix: Job["matrix"]): string =>
  Object.entries(matrix).map(([key, value]) => (typeof value === "string" ? value : `${key} ${value}`)).join(", ");

/** A matrix of more cells than this is one box of the graph. */
const cellsAtMost = 6;

interface Drawn {
  nodes: DagNode<WorkState>[];
  edges: DagEdge[];
  /** Which box shows a job. */
  nodeOf: (job: string) => string;
}

export function dagOf(graph: readonly PipelineJob[], jobs: readonly Job[], hrefOf: (job: string) => string): Drawn {
  const cells = new Map(graph.map(({ name }) => [name, jobs.filter((job) => job.name === name)]));
  const isApart = (name: string) => (cells.get(name)?.length ?? 0) <= cellsAtMost;
  const boxes = new Map(graph.map(({ name }) => [name, isApart(name) ? cells.get(name)!.map(({ job }) => job) : [name]]));
  const nodes = graph.flatMap(({ name, layer }): DagNode<WorkState>[] => {
    const own = cells.get(name)!;
    if (isApart(name)) {
      return own.map((job) => ({ id: job.job, label: labelOf(job), state: workState(job.status), layer, href: hrefOf(job.job), note: noteOf(job) }));
    }
    const shown = mostUrgent(own)!;
    return [{ id: name, label: `${name} × ${own.length}`, state: groupState(own), layer, href: hrefOf(shown.job), note: `${own.filter(isDone).length} of ${own.length} done` }];
  });
  const edges = graph.flatMap(({ name, needs }) => needs.flatMap((need) => (boxes.get(need) ?? []).flatMap((from) => boxes.get(name)!.map((to) => ({ from, to })))));
  const nodeOf = (job: string) => {
    const name = jobs.find((each) => each.job === job)?.name ?? job;
    return isApart(name) ? job : name;
  };
  return { nodes, edges, nodeOf };
}

/** The graph of a file, before anything of it ran. */
export function dagOfFile(graph: readonly PipelineJob[], hrefOf: (job: string) => string): { nodes: DagNode<WorkState>[]; edges: DagEdge[] } {
  return {
    nodes: graph.map(({ name, layer, action, cells }) => ({ id: name, label: name, layer, href: hrefOf(name), note: cells > 1 ? `${actionWords(action)}, ${cells} cells` : actionWords(action) })),
    edges: graph.flatMap(({ name, needs }) => needs.map((from) => ({ from, to: name }))),
  };
}

const actions: Record<string, string> = { run: "command", register_model: "register a model", set_alias: "set an alias", deploy: "deploy", approval: "approval" };
export const actionWords = (action: string): string => action.split("+").map((each) => actions[each] ?? each).join(" and ");

const isDone = ({ status }: Job) => status === "succeeded" || status === "cached";

/** All cells as one: what is under way or wrong before what went well. */
const groupState = (cells: readonly Job[]): WorkState => {
  const order: readonly JobStatus[] = ["awaiting_approval", "running", "failed", "canceled", "queued", "waiting", "succeeded", "cached", "skipped"];
  return workState(order.find((status) => cells.some((cell) => cell.status === status)) ?? "waiting");
};

export const labelOf = ({ job, name, matrix }: Pick<Job, "job" | "name" | "matrix">): string => (Object.keys(matrix).length ? `${name} (${cellWords(matrix)})` : job);

function noteOf(job: Job): string | undefined {
  if (job.status === "waiting") return "needs others";
  if (job.status === "queued" && job.attempt > 0) return `attempt ${job.attempt + 1} to come`;
  const took = tookMs(job);
  const parts = [job.attempt > 1 ? `attempt ${job.attempt}` : "", took === undefined ? "" : formatDuration(took)];
  return parts.filter(Boolean).join(", ") || undefined;
}

/** How long its newest attempt took; nothing while it goes on. */
export const tookMs = ({ started_at_ms: started, ended_at_ms: ended }: Pick<Job, "started_at_ms" | "ended_at_ms">): number | undefined =>
  started != null && ended != null ? ended - started : undefined;

/** A row for each job: what it waited, and each of its attempts as far as they are known. */
export function timelineRows(jobs: readonly Job[], attemptsOf: (job: string) => readonly Attempt[] | undefined, hrefOf: (job: string) => string): TimelineRow[] {
  return jobs.map((job) => ({ id: job.job, label: labelOf(job), state: workState(job.status), href: hrefOf(job.job), segments: segmentsOf(job, attemptsOf(job.job)) }));
}

function segmentsOf(job: Job, known: readonly Attempt[] | undefined): TimelineSegment<WorkState>[] {
  const queued = job.queued_at_ms;
  if (queued == null || job.status === "skipped") return [];
  const ended = job.ended_at_ms ?? undefined;
  if (job.started_at_ms == null && job.attempt === 0) {
    const state = job.status === "queued" ? "queued" : job.status === "canceled" ? "cancelled" : "waiting";
    return [{ state, startMs: queued, endMs: ended, label: state === "waiting" ? "approval" : undefined }];
  }
  const attempts: readonly TimelineSegment<WorkState>[] = known?.length
    ? known.map(({ attempt, status, started_at_ms: startMs, ended_at_ms: endMs }) => ({
        state: attempt === job.attempt && job.status === "cached" ? "cached" : workState(status),
        startMs,
        endMs: endMs ?? undefined,
        label: known.length > 1 ? `attempt ${attempt}` : undefined,
      }))
    : job.started_at_ms == null ? [] : [{ state: workState(job.status), startMs: job.started_at_ms, endMs: ended }];
  const first = attempts[0]?.startMs ?? ended;
  const wait: TimelineSegment<WorkState>[] = first === undefined || first > queued ? [{ state: "queued", startMs: queued, endMs: first, label: "queued" }] : [];
  return [...wait, ...attempts];
}

/** Why a job took an earlier result, or why it did not; nothing of a job that never may. */
export function cacheWords(job: Pick<Job, "status" | "reason" | "cached_from">): { isHit: boolean; why: string; from?: { runId: string; job: string } } | undefined {
  if (job.cached_from) {
    const slash = job.cached_from.indexOf("/");
    const from = { runId: job.cached_from.slice(0, slash), job: job.cached_from.slice(slash + 1) };
    return { isHit: true, why: "Command, environment, inputs, parameters, code and outputs are the same as when it was done before.", from };
  }
  const missed = /^not cached: (.*)$/s.exec(job.reason);
  return missed ? { isHit: false, why: missed[1]!.replace(/\b([0-9a-f]{12})[0-9a-f]{28,}\b/g, "$1") } : undefined;
}

/** Why a job is as it is, where that is not about the cache. */
export const reasonWords = ({ reason }: Pick<Job, "reason">): string => (reason.startsWith("not cached: ") ? "" : reason);

/** What started a run, in a few words. */
export function triggerWords({ trigger, trigger_detail: detail, actor }: Pick<PipelineRun, "trigger" | "trigger_detail" | "actor">): string {
  const said = (key: string) => (typeof detail[key] === "string" ? (detail[key] as string) : "");
  switch (trigger) {
    case "manual": return `${actor}, by hand`;
    case "schedule": return `schedule ${said("cron")}`.trim();
    case "data_commit": return `commit on ${said("repository")}@${said("branch")}`;
    case "model_alias": return `alias ${said("model")}@${said("alias")}`;
    case "drift_alert": return ["alert", said("rule"), "of", said("deployment")].filter(Boolean).join(" ");
    default: return trigger;
  }
}

/** `approved`, or that the time ran out. */
export const decisionWord = ({ detail }: Pick<LedgerEvent, "detail">): string =>
  detail?.decision === "approve" ? "approved" : detail?.decision === "reject" ? "rejected" : "nobody decided in time";

export interface DataPin {
  repository: string;
  ref: string;
  commit: string;
}

/** The data commits that a run reads. */
export const dataPins = (pins: Record<string, string>): DataPin[] =>
  Object.entries(pins).map(([name, commit]) => {
    const at = name.lastIndexOf("@");
    return { repository: at < 0 ? name : name.slice(0, at), ref: at < 0 ? "" : name.slice(at + 1), commit };
  });

/** Pipelines that have run, of which none of `found` is. */
export const displacedPipelines = (pipelines: readonly Pick<Pipeline, "name" | "runs">[], found: ReadonlyMap<string, unknown>): string[] =>
  pipelines.filter(({ name, runs }) => runs > 0 && !found.has(name)).map(({ name }) => name);

/** The newest runs of each pipeline, from a page of all. */
export function runsByPipeline(runs: readonly PipelineRun[], most: number): Map<string, PipelineRun[]> {
  const found = new Map<string, PipelineRun[]>();
  for (const run of runs) {
    const own = found.get(run.pipeline) ?? [];
    if (own.length < most) found.set(run.pipeline, [...own, run]);
  }
  return found;
}
