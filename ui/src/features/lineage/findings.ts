// What the lineage explorer can begin from: the latest of each kind, or those that have a text in their name.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { mlflow, quoteFilterValue, type RegisteredModel } from "../../api/mlflow";
import { native } from "../../api/native";
import { labelOf } from "../../components/names";
import { deploymentsQuery } from "../deployments/queries";
import { allExperimentsQuery } from "../experiments/queries";
import { newestPipelineRunsQuery } from "./titles";

const foundAtMost = 6;
/** How many of the newest are looked through where the server finds nothing by name. */
const lookedThrough = 200;
const kinds = ["run", "model", "data", "dataset", "logged-model", "pipeline", "pipeline-run", "job", "deployment", "window", "prediction", "code"];

export interface Finding {
  /** Canonical name. */
  name: string;
  label: string;
  hint?: string | undefined;
  atMs?: number | undefined;
}

export type Findings = [heading: string, findings: Finding[]][];

/** The canonical names that a text may mean by itself: a name with or without its project, or an id. */
export function namesIn(project: string, text: string): string[] {
  if (/^[0-9a-f]{32}$/.test(text)) return ["run", "pipeline-run", "prediction"].map((kind) => `${project}/${kind}/${text}`);
  const words = text.startsWith(`${project}/`) ? text.slice(project.length + 1) : text;
  const [kind = "", ...rest] = words.split("/");
  return kinds.includes(kind) && rest.join("/") !== "" ? [`${project}/${words}`] : [];
}

/** The newest version of a model, and the one that is the champion. */
export function versionsOf({ latest_versions, aliases }: Pick<RegisteredModel, "latest_versions" | "aliases">): string[] {
  const newest = Math.max(0, ...latest_versions.map(({ version }) => Number(version)));
  const champion = aliases.find(({ alias }) => alias === "champion")?.version;
  return [...new Set([...(newest ? [String(newest)] : []), ...(champion ? [champion] : [])])];
}

export function useFindings(project: string, search: string): { findings: Findings; error: Error | null; isPending: boolean } {
  const wanted = search.toLowerCase();
  const isWanted = (text: string) => text.toLowerCase().includes(wanted);
  const like = quoteFilterValue(`%${search}%`);
  const experiments = useQuery(allExperimentsQuery(project));
  const experimentIds = experiments.data?.map((experiment) => experiment.experiment_id) ?? [];
  const key = (what: string) => ["lineage", project, "find", what, search];
  const runs = useQuery({
    queryKey: [...key("runs"), experimentIds.length],
    queryFn: ({ signal }) =>
      native.searchRuns(project, { experiment_ids: experimentIds, filter: search ? `attributes.run_name ILIKE ${like}` : undefined, columns: [], max_results: foundAtMost }, signal),
    enabled: experimentIds.length > 0,
    placeholderData: keepPreviousData,
  });
  const models = useQuery({
    queryKey: key("models"),
    queryFn: ({ signal }) => mlflow.searchModels(project, { filter: search ? `name ILIKE ${like}` : undefined, maxResults: foundAtMost }, signal),
    placeholderData: keepPreviousData,
  });
  const deployments = useQuery({ ...deploymentsQuery(project), refetchInterval: false });
  const commits = useQuery({
    queryKey: ["lineage", project, "find", "commits"],
    queryFn: ({ signal }) => native.activity(project, { action: "data.committed", max_results: lookedThrough }, signal),
  });
  const pipelineRuns = useQuery(newestPipelineRunsQuery(project));
  const all = [experiments, models, deployments, commits, pipelineRuns];
  const found = (findings: Finding[] | undefined) => (findings ?? []).filter(({ label, hint = "" }) => isWanted(`${label} ${hint}`)).slice(0, foundAtMost);
  const findings: Findings = [
    ["By name", namesIn(project, search).map((name) => ({ name, label: labelOf(name) }))],
    ["Runs", (runs.data?.runs ?? []).map((run) => ({ name: `${project}/run/${run.run_id}`, label: run.run_name || run.run_id, hint: run.experiment_name, atMs: run.start_time_ms }))],
    ["Model versions", (models.data?.items ?? []).flatMap((model) => versionsOf(model).map((version) => ({
      name: `${project}/model/${model.name}/${version}`,
      label: `${model.name} v${version}`,
      hint: model.aliases.filter((each) => each.version === version).map(({ alias }) => `@${alias}`).join(" ") || undefined,
    })))],
    ["Deployments", found(deployments.data?.map(({ name, updated_at_ms }) => ({ name: `${project}/deployment/${name}`, label: name, atMs: updated_at_ms })))],
    ["Data commits", found(commits.data?.events.map(({ subject, detail, at_ms }) => ({
      name: subject,
      label: labelOf(subject),
      hint: typeof detail?.message === "string" ? detail.message : undefined,
      atMs: at_ms,
    })))],
    ["Pipeline runs", found(pipelineRuns.data?.runs.map(({ id, pipeline, number, created_at_ms }) => ({ name: `${project}/pipeline-run/${id}`, label: `${pipeline} #${number}`, atMs: created_at_ms })))],
  ];
  return {
    findings: findings.filter(([, each]) => each.length),
    error: all.map(({ error }) => error).find(Boolean) ?? runs.error,
    isPending: all.some(({ isPending }) => isPending) || runs.isFetching,
  };
}
