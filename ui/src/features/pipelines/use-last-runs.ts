import { useQueries, useQuery } from "@tanstack/react-query";
import type { PipelineRun } from "../../api/pipelines";
import { pipelinesQuery, recentRunsQuery } from "./queries";
import { displacedPipelines, runsByPipeline } from "./states";

const askedAtMost = 20;

interface LastRuns {
  /** By pipeline, newest first. */
  last: Map<string, PipelineRun[]>;
  isLoaded: boolean;
  error: Error | null;
}

/** The newest `most` runs of each pipeline, looked for among the newest `among` of all; those that busy pipelines have displaced there are asked for by name. */
export function useLastRuns(project: string, among: number, most: number): LastRuns {
  const pipelines = useQuery(pipelinesQuery(project));
  const recent = useQuery(recentRunsQuery(project, among));
  const last = runsByPipeline(recent.data?.runs ?? [], most);
  const displaced = recent.data ? displacedPipelines(pipelines.data?.pipelines ?? [], last).slice(0, askedAtMost) : [];
  const asked = useQueries({ queries: displaced.map((name) => recentRunsQuery(project, most, name)) });
  displaced.forEach((name, index) => {
    const runs = asked[index]?.data?.runs;
    if (runs?.length) last.set(name, runs);
  });
  return { last, isLoaded: recent.data !== undefined && asked.every(({ isPending }) => !isPending), error: recent.error };
}
