import { queryOptions } from "@tanstack/react-query";
import { native } from "../../api/native";
import { pipelines, type PipelineRunDetail } from "../../api/pipelines";
import { keepOf } from "../../app/keep-of";
import { parseName } from "../../components/names";
import { isOngoing } from "./states";

// Events tell of starts, ends and decisions; that a job became ready is no event, so what goes on is asked for again besides.
const askAgainMs = 2_000;
const askAgainSeldomMs = 10_000;
const runsPerPage = 50;

export const pipelinesQuery = (project: string) =>
  queryOptions({ queryKey: ["pipelines", project, "all"], queryFn: ({ signal }) => pipelines.list(project, { max_results: 1_000 }, signal) });

/** The newest runs, of all pipelines or of one. */
export const recentRunsQuery = (project: string, count: number, pipeline?: string) =>
  queryOptions({
    queryKey: ["pipelines", project, "recent", count, pipeline],
    queryFn: ({ signal }) => pipelines.runs(project, { pipeline, max_results: count }, signal),
    refetchInterval: ({ state }) => (state.data?.runs.some(isOngoing) ? askAgainSeldomMs : false),
  });

export const pipelineQuery = (project: string, name: string) =>
  queryOptions({ queryKey: ["pipelines", project, "one", name], queryFn: ({ signal }) => pipelines.get(project, name, signal) });

export const runsQuery = (project: string, pipeline: string, status: string, pageToken: string | undefined) =>
  queryOptions({
    queryKey: ["pipelines", project, "runs", pipeline, status, pageToken],
    queryFn: ({ signal }) => pipelines.runs(project, { pipeline, status, page_token: pageToken, max_results: runsPerPage }, signal),
    placeholderData: keepOf(["pipelines", project, "runs", pipeline]),
    refetchInterval: ({ state }) => (state.data?.runs.some(isOngoing) ? askAgainSeldomMs : false),
  });

/** What would have started a pipeline by itself and did not, newest first. */
export const notStartedQuery = (project: string, name: string) =>
  queryOptions({
    queryKey: ["pipelines", project, "not-started", name],
    queryFn: async ({ signal }) => (await native.activity(project, { subject: `${project}/pipeline/${name}`, action: "pipeline.not_started", max_results: 5 }, signal)).events,
  });

export const pipelineRunQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: ["pipelines", project, "run", id],
    queryFn: ({ signal }) => pipelines.run(project, id, signal),
    refetchInterval: ({ state }) => (state.data && isMoving(state.data) ? askAgainMs : false),
  });

/** A run whose jobs all wait for people does not move by itself, and its events tell when it does. */
const isMoving = ({ run, jobs }: PipelineRunDetail) => isOngoing(run) && (run.status === "queued" || jobs.some(({ status }) => status === "queued" || status === "running"));

export const attemptsQuery = (project: string, id: string, job: string, attempt: number, status: string) =>
  queryOptions({
    // Its newest attempt and state are part of the key: they say when there is something new.
    queryKey: ["pipelines", project, "attempts", id, job, attempt, status],
    queryFn: ({ signal }) => pipelines.attempts(project, id, job, signal),
    placeholderData: keepOf(["pipelines", project, "attempts", id, job]),
    staleTime: 60_000,
  });

export const approvalsQuery = (project: string) =>
  queryOptions({ queryKey: ["pipelines", project, "approvals"], queryFn: ({ signal }) => pipelines.approvals(project, signal), refetchInterval: 60_000, staleTime: 20_000 });

/** What was decided lately about any job, newest first. */
export const decidedQuery = (project: string, count: number) =>
  queryOptions({
    queryKey: ["pipelines", project, "decided", count],
    queryFn: async ({ signal }) => (await native.activity(project, { action: "job.decided", max_results: count }, signal)).events,
  });

/** Who decided what about a job, oldest first. */
export const decisionsQuery = (project: string, id: string, job: string) =>
  queryOptions({
    queryKey: ["pipelines", project, "decisions", id, job],
    queryFn: async ({ signal }) => (await native.activity(project, { subject: `${project}/job/${id}/${job}`, action: "job.decided", max_results: 100 }, signal)).events.reverse(),
  });

/** The code commit that a run is of; only the lineage tells. */
export const codeCommitQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: ["pipelines", project, "code", id],
    queryFn: async ({ signal }) => {
      const { nodes } = await native.lineage(project, { name: `${project}/pipeline-run/${id}`, direction: "up", depth: 1 }, signal);
      const code = nodes.find(({ kind }) => kind === "code");
      if (!code) return null;
      const [repository = "", commit = ""] = splitLast(parseName(code.name).id, "@");
      return { repository, commit };
    },
    staleTime: Infinity,
  });

const splitLast = (text: string, by: string): [string, string] => {
  const at = text.lastIndexOf(by);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
};
