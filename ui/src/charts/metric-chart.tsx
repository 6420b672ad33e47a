// One metric of one or more runs: loads when it comes into sight, and has a table twin.
import { queryOptions, useQuery } from "@tanstack/react-query";
import { ChartLine, RotateCcw, Table2 } from "lucide-react";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import { useProject } from "../app/navigation";
import { IconButton } from "../components/button";
import { ErrorNote } from "../components/error-note";
import { formatCount, formatNumber, plural } from "../components/format";
import { bandsUpTo, bucketsFor, plotLines, type XAxis } from "./chart-data";
import { ChartTable } from "./chart-table";
import { loadSeries, type SeriesRequest } from "./series-loader";
import { SingleValues } from "./single-values";
import { useSeen } from "./use-seen";
import "./charts.css";

const LineChart = lazy(() => import("./line-chart"));

export interface ChartRun {
  runId: string;
  label: string;
  color: number;
  dash: number;
  startMs: number;
}

export interface ChartSettings {
  x: XAxis;
  /** 0 to 99 percent. */
  smoothing: number;
  isLog: boolean;
}

interface MetricChartProps {
  metricKey: string;
  runs: ChartRun[];
  settings: ChartSettings;
  syncKey: string;
}

export const seriesQuery = (request: SeriesRequest, metricKey: string) =>
  queryOptions({
    queryKey: ["series", request.project, metricKey, request] as const,
    queryFn: () => loadSeries(request, metricKey),
    staleTime: 30_000,
  });

export function MetricChart({ metricKey, runs, settings, syncKey }: MetricChartProps) {
  const project = useProject();
  const frame = useRef<HTMLElement>(null);
  const isSeen = useSeen(frame);
  const [isTable, setTable] = useState(false);
  const [range, setRange] = useState<{ from: number; to: number }>();
  useEffect(() => setRange(undefined), [settings.x]);

  const request: SeriesRequest = { project, runIds: runs.map((run) => run.runId), x: settings.x, maxPoints: bucketsFor(runs.length), ...range };
  const loaded = useQuery({ ...seriesQuery(request, metricKey), enabled: isSeen, placeholderData: (previous) => previous });
  const plots = useMemo(() => {
    const byRun = new Map(loaded.data?.map((series) => [series.run_id, series]));
    const lines = runs.flatMap((run) => {
      const series = byRun.get(run.runId);
      return series?.x.length ? [{ ...run, id: run.runId, series }] : [];
    });
    return plotLines(lines, settings.x, settings.smoothing / 100, settings.isLog);
  }, [loaded.data, runs, settings]);

  const points = plots.reduce((sum, plot) => sum + plot.line.series.points, 0);
  const isSampled = plots.some((plot) => plot.min);
  const isSingle = plots.every((plot) => plot.line.series.points <= 1);
  const isDrawable = plots.some((plot) => plot.raw.some((value) => value !== null));
  const last = plots.length === 1 && !isSingle ? plots[0]!.raw.at(-1) : undefined;
  const label = `${metricKey}: ${plots.length === 1 ? `${formatCount(points)} points, last ${formatNumber(last ?? Number.NaN)}` : `${plots.length} runs`}`;
  // Runs of different days share no time: their common axis cannot be asked for in parts.
  const canZoomIn = isSampled && (settings.x === "step" || runs.length === 1);
  const zoom = (from: number, to: number) => {
    const start = settings.x === "time" ? runs[0]!.startMs : 0;
    const scale = settings.x === "time" ? 1000 : 1;
    setRange({ from: start + from * scale, to: start + to * scale });
  };

  return (
    <figure className="metric-chart" ref={frame}>
      <figcaption>
        <span className="ellipsis" title={metricKey}>{metricKey}</span>
        {last !== undefined && last !== null ? <strong>{formatNumber(last)}</strong> : null}
        <span className="push row" style={{ gap: 2 }}>
          {range ? <IconButton size="small" label={`Show all of ${metricKey}`} icon={<RotateCcw size={13} />} onClick={() => setRange(undefined)} /> : null}
          <IconButton
            size="small"
            label={isTable ? `Show ${metricKey} as a chart` : `Show ${metricKey} as a table`}
            icon={isTable ? <ChartLine size={14} /> : <Table2 size={14} />}
            onClick={() => setTable(!isTable)}
          />
        </span>
      </figcaption>
      <div className="chart-area" data-short={isSingle && plots.length === 1 && !isTable}>
        {loaded.error ? <ErrorNote error={loaded.error} /> : null}
        {loaded.isSuccess && !plots.length ? <p className="muted chart-none">No points{range ? " in this range" : ""}.</p> : null}
        {plots.length && isTable ? <ChartTable plots={plots} x={settings.x} label={metricKey} /> : null}
        {plots.length && !isTable && isSingle ? <SingleValues plots={plots} isNamed={runs.length > 1} /> : null}
        {plots.length && !isTable && !isSingle && !isDrawable ? <p className="muted chart-none">{settings.isLog ? "No value can stand on a log scale." : "No value is a finite number."}</p> : null}
        {plots.length && !isTable && !isSingle && isDrawable ? (
          <Suspense fallback={null}>
            <LineChart plots={plots} x={settings.x} isLog={settings.isLog} isSmoothed={settings.smoothing > 0} label={label} syncKey={syncKey} onRange={canZoomIn ? zoom : undefined} />
          </Suspense>
        ) : null}
      </div>
      <p className="chart-foot">
        {isSampled ? `${formatCount(points)} points in buckets${plots.length <= bandsUpTo ? "; the shade spans each bucket" : ""}` : points ? plural(points, "point") : "\u00a0"}
      </p>
    </figure>
  );
}
