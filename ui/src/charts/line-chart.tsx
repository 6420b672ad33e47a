// Lines on a canvas, by uPlot. What it draws is also in the table twin beside it, so the canvas is one labelled image.
import { useMemo, useState } from "react";
import uPlot, { type AlignedData, type Band, type Options, type Series as PlotSeries } from "uplot";
import { formatDuration, formatNumber } from "../components/format";
import { bandsUpTo, type PlotLine, type XAxis } from "./chart-data";
import { dashPatterns, resolveColor } from "./run-style";
import { axisStyle, usePlot, type PlotPointer } from "./use-plot";

export interface LineChartProps {
  plots: PlotLine[];
  x: XAxis;
  isLog: boolean;
  isSmoothed: boolean;
  label: string;
  height?: number;
  /** Charts with one key show the same x under the pointer. */
  syncKey?: string;
  /** Called with the marked range, when the server has finer buckets for it; absent: the chart enlarges what it has. */
  onRange?: (from: number, to: number) => void;
}

export default function LineChart({ plots, x, isLog, isSmoothed, label, height = 200, syncKey, onRange }: LineChartProps) {
  const [pointer, setPointer] = useState<PlotPointer>();
  const hasBands = plots.length <= bandsUpTo && plots.some((plot) => plot.min);
  const data = useMemo(() => joinPlots(plots, hasBands, isSmoothed), [plots, hasBands, isSmoothed]);
  const shape = JSON.stringify([plots.map(({ line }) => [line.id, line.color, line.dash]), x, isLog, isSmoothed, hasBands, syncKey]);
  const host = usePlot({ shape, data, height, onPointer: setPointer, onRange, options: () => plotOptions({ plots, x, isLog, isSmoothed, hasBands, syncKey }) });

  return (
    <div className="line-chart" style={{ height }} onMouseLeave={() => setPointer(undefined)}>
      <div ref={host} role="img" aria-label={label} />
      {pointer ? <Readout plots={plots} pointer={pointer} x={x} width={host.current?.clientWidth ?? 300} /> : null}
    </div>
  );
}

function Readout({ plots, pointer, x, width }: { plots: PlotLine[]; pointer: PlotPointer; x: XAxis; width: number }) {
  const rows = plots
    .map((plot) => ({ plot, at: nearestIndex(plot.x, pointer.x) }))
    .filter(({ at }) => at >= 0)
    .map(({ plot, at }) => ({ line: plot.line, x: plot.x[at]!, y: plot.y[at] ?? null }));
  if (!rows.length) return null;
  const onRight = pointer.left > width / 2;
  return (
    <div className="readout" aria-hidden="true" style={onRight ? { right: width - pointer.left + 10 } : { left: pointer.left + 10 }}>
      <div className="muted">{x === "step" ? `step ${formatNumber(rows[0]!.x)}` : formatDuration(rows[0]!.x * 1000)}</div>
      {rows.slice(0, 12).map(({ line, y }) => (
        <div key={line.id} className="row">
          <span className="swatch" style={{ background: `var(--run-${line.color})` }} />
          {plots.length > 1 ? <span className="ellipsis">{line.label}</span> : null}
          <strong className="push">{y === null ? "–" : formatNumber(y)}</strong>
        </div>
      ))}
      {rows.length > 12 ? <div className="muted">and {rows.length - 12} more</div> : null}
    </div>
  );
}

/** The place of the value next to `target` in an ascending list; -1 when it is empty. */
export function nearestIndex(sorted: readonly number[], target: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < target) low = middle + 1;
    else high = middle;
  }
  if (low > 0 && target - sorted[low - 1]! < sorted[low]! - target) return low - 1;
  return sorted.length ? low : -1;
}

function joinPlots(plots: PlotLine[], hasBands: boolean, isSmoothed: boolean): AlignedData {
  if (!plots.length) return [[]];
  const tables = plots.map((plot) => {
    const columns: (readonly (number | null)[])[] = [plot.x];
    if (hasBands) columns.push(plot.max ?? plot.raw, plot.min ?? plot.raw);
    if (isSmoothed) columns.push(plot.raw);
    columns.push(plot.y);
    return columns as unknown as AlignedData;
  });
  return uPlot.join(tables);
}

type PlotShape = Pick<LineChartProps, "plots" | "x" | "isLog" | "isSmoothed" | "syncKey"> & { hasBands: boolean };

function plotOptions({ plots, x, isLog, isSmoothed, hasBands, syncKey }: PlotShape): Omit<Options, "width" | "height"> {
  const axes = axisStyle();
  const series: PlotSeries[] = [{}];
  const bands: Band[] = [];
  for (const { line } of plots) {
    const stroke = resolveColor(line.color);
    if (hasBands) {
      const at = series.length;
      const hidden: PlotSeries = { stroke: "transparent", width: 0, points: { show: false } };
      series.push(hidden, { ...hidden });
      bands.push({ series: [at, at + 1], fill: `${stroke}26` });
    }
    if (isSmoothed) series.push({ stroke: `${stroke}44`, width: 1, points: { show: false } });
    series.push({ stroke, width: 1.6, dash: [...(dashPatterns[line.dash] ?? [])], points: { show: (_, __, from, to) => to - from < 1, size: 5 } });
  }
  return {
    series,
    bands,
    legend: { show: false },
    padding: [8, 12, 0, 0],
    scales: { x: { time: false }, y: isLog ? { distr: 3 } : {} },
    cursor: { points: { size: 6 }, y: false, ...(syncKey ? { sync: { key: syncKey, setSeries: false } } : {}) },
    axes: [
      { ...axes.x, values: (_, splits) => splits.map((at) => (x === "step" ? tickNumber(at) : formatDuration(at * 1000))), space: 64 },
      { ...axes.y, values: (_, splits) => splits.map((at) => (at === null ? "" : formatNumber(at))), space: 32 },
    ],
  };
}

const tickNumber = (value: number) => (Number.isInteger(value) ? (Math.abs(value) >= 10_000 ? `${formatNumber(value / 1000)}k` : String(value)) : "");
