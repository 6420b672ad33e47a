// A running run as it goes on: new points are put into the charts and the metrics that are shown, nothing is asked again.
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Metric, Run } from "../../api/mlflow";
import { toNumber, type RunStatus, type Series, type WireNumber } from "../../api/native";
import { openStream } from "../../api/stream";
import { useLiveEvents } from "../../app/live";
import { useGathered } from "../../app/use-gathered";
import { appendPoints } from "../../charts/chart-data";
import type { SeriesRequest } from "../../charts/series-loader";
import { runQuery } from "./queries";

export interface StreamedPoint {
  key: string;
  step: number;
  timestamp: number;
  value: WireNumber;
}

interface StreamedState {
  status: RunStatus;
  run_name: string;
  end_time_ms?: number | null;
  lifecycle_stage: string;
}

const gatherMs = 600;
/** A line that has grown to this many times what was asked for is asked for again, in buckets. */
const tooLong = 2;

export const isOngoing = (status: RunStatus) => status === "RUNNING" || status === "SCHEDULED";

/** Whether `point` is the later one, by MLflow's rule: step, then time, then value. */
function isLater(point: StreamedPoint, than: Metric): boolean {
  if (point.step !== than.step) return point.step > than.step;
  if (point.timestamp !== than.timestamp) return point.timestamp > than.timestamp;
  return toNumber(point.value) >= toNumber(than.value);
}

/** The latest value of each metric after `points`. */
export function mergeLatest(metrics: Metric[], points: readonly StreamedPoint[]): Metric[] {
  const latest = new Map(metrics.map((metric) => [metric.key, metric]));
  for (const { key, step, timestamp, value } of points) {
    const known = latest.get(key);
    if (!known || isLater({ key, step, timestamp, value }, known)) latest.set(key, { key, step, timestamp, value });
  }
  return [...latest.values()];
}

/** The series of one chart with the run's new points; nothing when it should be asked for again. */
export function extendSeries(loaded: Series[], runId: string, request: SeriesRequest, points: readonly StreamedPoint[]): Series[] | undefined {
  const own = loaded.find((series) => series.run_id === runId);
  if (!own || own.x.length > request.maxPoints * tooLong) return undefined;
  const added = points.map((point) => ({ x: request.x === "time" ? point.timestamp : point.step, value: point.value }));
  return loaded.map((series) => (series === own ? appendPoints(own, added) : series));
}

function addToCharts(client: QueryClient, project: string, runId: string, points: readonly StreamedPoint[]) {
  const byKey = new Map<string, StreamedPoint[]>();
  for (const point of points) byKey.set(point.key, [...(byKey.get(point.key) ?? []), point]);
  for (const query of client.getQueryCache().findAll({ queryKey: ["series", project] })) {
    const [, , metricKey, request] = query.queryKey as [string, string, string, SeriesRequest];
    const fresh = byKey.get(metricKey);
    const loaded = query.state.data as Series[] | undefined;
    // A marked range has an end, and new points lie behind it.
    if (!fresh || !loaded || request.to !== undefined || !request.runIds.includes(runId)) continue;
    const extended = extendSeries(loaded, runId, request, fresh);
    if (extended) client.setQueryData(query.queryKey, extended);
    else void client.invalidateQueries({ queryKey: query.queryKey, exact: true });
  }
}

/** Keeps the run's page up to date; the stream of points is open only while the run goes on. Answers whether that is away. */
export function useLiveRun(project: string, runId: string, status: RunStatus | undefined): boolean {
  const client = useQueryClient();
  const [isAway, setAway] = useState(false);
  const isLive = status !== undefined && isOngoing(status);

  useEffect(() => {
    if (!isLive) return;
    const { queryKey } = runQuery(project, runId);
    const reload = () => {
      void client.invalidateQueries({ queryKey });
      void client.invalidateQueries({ queryKey: ["series", project] });
    };
    return openStream(project, `/api/v1/runs/${encodeURIComponent(runId)}/stream`, {
      points: (data) => {
        const { points } = data as { points: StreamedPoint[] };
        client.setQueryData(queryKey, (run) => run && { ...run, metrics: mergeLatest(run.metrics, points) });
        addToCharts(client, project, runId, points);
      },
      run: (data) => {
        const state = data as StreamedState;
        client.setQueryData(queryKey, (run) => run && withState(run, state));
        if (!isOngoing(state.status)) reload();
      },
    }, { onReopen: reload, onState: (isOpen) => setAway(!isOpen) });
  }, [client, project, runId, isLive]);

  const reloadSoon = useGathered(() => {
    for (const key of ["run", "artifacts", "run-children", "run-versions"]) void client.invalidateQueries({ queryKey: [key, project] });
  }, gatherMs);
  const name = `${project}/run/${runId}`;
  useLiveEvents(
    project,
    (event) => {
      if (event.subject === name || event.edges.some((edge) => edge.from === name || edge.to === name)) reloadSoon();
    },
    reloadSoon,
  );
  return isAway;
}

function withState(run: Run, state: StreamedState): Run {
  return {
    ...run,
    info: { ...run.info, status: state.status, run_name: state.run_name, end_time: state.end_time_ms ?? undefined, lifecycle_stage: state.lifecycle_stage },
  };
}
