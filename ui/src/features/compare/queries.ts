import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { mlflow, type Run } from "../../api/mlflow";

const livePauseMs = 10_000;

/** Whole runs in the order asked for; those that do not exist are absent. */
export const comparedRunsQuery = (project: string, experimentIds: string[], runIds: string[]) =>
  queryOptions({
    queryKey: ["compared-runs", project, runIds, experimentIds.length],
    queryFn: async ({ signal }): Promise<Run[]> => {
      const found = new Map((await mlflow.runsById(project, experimentIds, runIds, signal)).map((run) => [run.info.run_id, run]));
      return runIds.flatMap((id) => found.get(id) ?? []);
    },
    enabled: runIds.length > 0 && experimentIds.length > 0,
    placeholderData: keepPreviousData,
    refetchInterval: (query) => (query.state.data?.some((run) => run.info.status === "RUNNING") ? livePauseMs : false),
  });
