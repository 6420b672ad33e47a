// Lineage and events speak of things by id; people know them by name.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { Lineage } from "../../api/native";
import { pipelines } from "../../api/pipelines";
import { useLiveEvents } from "../../app/live";
import { useGathered } from "../../app/use-gathered";
import { labelOf, parseName } from "../../components/names";
import { allExperimentsQuery } from "../experiments/queries";
import { runsByIdQuery } from "../runs/queries";

const namedAtMost = 100;
/** How many of the newest pipeline runs are named. */
const newestPipelineRuns = 200;
const gatherMs = 300;

export const newestPipelineRunsQuery = (project: string) => ({
  queryKey: ["lineage", project, "find", "pipeline-runs"],
  queryFn: ({ signal }: { signal: AbortSignal }) => pipelines.runs(project, { max_results: newestPipelineRuns }, signal),
});

/** Names of runs and pipeline runs by their ids. */
export type Known = ReadonlyMap<string, string>;

/** `train #2` for a run and for the model that it logged, `nightly #7` for a pipeline run; what has no name keeps its label. */
export function titleOf(name: string, known: Known, edges: Lineage["edges"]): string {
  const { kind, id } = parseName(name);
  if (kind !== "logged-model") return known.get(id) || labelOf(name);
  const run = edges.find(({ from, kind: how, to }) => to === name && how === "logged" && parseName(from).kind === "run");
  return (run && known.get(parseName(run.from).id)) || labelOf(name);
}

/** Asks for the newest pipeline runs again once another has begun, for what asked before knows no name of it. */
function useNewPipelineRuns(project: string) {
  const client = useQueryClient();
  // Several parts of a page hear of the same run: one request answers all.
  const reloadSoon = useGathered(() => void client.invalidateQueries({ queryKey: newestPipelineRunsQuery(project).queryKey }), gatherMs);
  useLiveEvents(project, ({ action }) => action === "pipeline_run.started" && reloadSoon(), reloadSoon);
}

/** How people call the things of a part of the lineage. */
export function useTitles(project: string, names: readonly string[], edges: Lineage["edges"] = []): (name: string) => string {
  const parsed = names.map(parseName);
  const ids = [...new Set(parsed.filter(({ kind }) => kind === "run").map(({ id }) => id))].sort().slice(0, namedAtMost);
  const experiments = useQuery({ ...allExperimentsQuery(project), enabled: ids.length > 0 });
  const experimentIds = experiments.data?.map((experiment) => experiment.experiment_id) ?? [];
  const runs = useQuery(runsByIdQuery(project, experimentIds, ids, []));
  useNewPipelineRuns(project);
  const pipelineRuns = useQuery({ ...newestPipelineRunsQuery(project), enabled: parsed.some(({ kind }) => kind === "pipeline-run") });
  const known = new Map([
    ...(runs.data?.runs ?? []).map((run): [string, string] => [run.run_id, run.run_name]),
    ...(pipelineRuns.data?.runs ?? []).map((run): [string, string] => [run.id, `${run.pipeline} #${run.number}`]),
  ]);
  return (name) => titleOf(name, known, edges);
}
