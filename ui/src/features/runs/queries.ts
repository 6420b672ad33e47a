import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { native, type RunsQuery } from "../../api/native";
import { orderBy } from "./columns";
import type { RunsView } from "./view";

export const columnsQuery = (project: string, experimentIds: string[], search = "") =>
  queryOptions({
    queryKey: ["run-columns", project, experimentIds, search],
    queryFn: ({ signal }) => native.runColumns(project, experimentIds, search, signal),
    staleTime: 30_000,
    placeholderData: keepPreviousData,
  });

export function runsRequest(view: RunsView, experimentIds: string[], columns: string[]): RunsQuery {
  return {
    experiment_ids: experimentIds,
    filter: view.filter.trim() || undefined,
    order_by: orderBy(view.sort),
    run_view_type: view.isDeleted ? "DELETED_ONLY" : "ACTIVE_ONLY",
    columns,
    max_results: Number(view.pageSize),
    page_token: view.pageToken,
  };
}

export const runsQuery = (project: string, request: RunsQuery) =>
  queryOptions({
    queryKey: ["runs", project, request],
    queryFn: ({ signal }) => native.searchRuns(project, request, signal),
    placeholderData: keepPreviousData,
    // Metric points are no events: rows of running runs are asked for again now and then.
    refetchInterval: (query) => (query.state.data?.runs.some((run) => run.status === "RUNNING") ? 10_000 : false),
  });

/** Certain runs in the shape of the table, wherever they stand in its order. */
export function runsByIdQuery(project: string, experimentIds: string[], runIds: string[], columns: string[]) {
  const request: RunsQuery = {
    experiment_ids: experimentIds,
    filter: `attributes.run_id IN (${runIds.map((id) => `'${id.replaceAll("'", "")}'`).join(", ")})`,
    run_view_type: "ALL",
    columns,
    max_results: Math.max(1, runIds.length),
  };
  return queryOptions({
    queryKey: ["runs", project, request],
    queryFn: ({ signal }) => native.searchRuns(project, request, signal),
    enabled: runIds.length > 0 && experimentIds.length > 0,
  });
}
