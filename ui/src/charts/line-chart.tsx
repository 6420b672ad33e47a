// Lines on a canvas, by uPlot. What it draws is also in the table twin beside it, so the canvas is one labelled image.
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot, { type AlignedData, type Band, type Options, type Series as PlotSeries } from "uplot";
import "uplot/dist/uPlot.min.css";
import { useThemeKey } from "../app/theme";
import { formatDuration, formatNumber } from "../components/format";
import { bandsUpTo, type PlotLine, type XAxis } from "./chart-data";
import { dashPatterns, resolveColor, resolveVariable } from "./run-style";

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

interface Pointer {
  left: number;
  x: number;
}

export default function LineChart({ plots, x, isLog, isSmoothed, label, height = 200, syncKey, onRange }: LineChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const [pointer, setPointer] = useState<Pointer>();
  const theme = useThemeKey();
  const hasBands = plots.length <= bandsUpTo && plots.some((plot) => plot.min);
  const data = useMemo(() => joinPlots(plots, hasBands, isSmoothed), [plots, hasBands, isSmoothed]);
  // The chart is made anew only when its shape changes; new points are set into it.
  const shape = JSON.stringify([plots.map(({ line }) => [line.id, line.color, line.dash]), x, isLog, isSmoothed, hasBands, syncKey, height, theme, !onRange]);
  const latest = useRef({ data, onRange });
  latest.current = { data, onRange };

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const options = plotOptions({ plots, x, isLog, isSmoothed, hasBands, height, syncKey, width: element.clientWidth || 300 });
    options.cursor!.drag = { x: true, y: false, setScale: !onRange };
    options.hooks = {
      setCursor: [
        (plot) => {
          const { left, event } = plot.cursor;
          setPointer(event && left !== undefined && left >= 0 ? { left: left + plot.bbox.left / devicePixelRatio, x: plot.posToVal(left, "x") } : undefined);
        },
      ],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (!latest.current.onRange || width < 4) return;
          latest.current.onRange(Math.floor(plot.posToVal(left, "x")), Math.ceil(plot.posToVal(left + width, "x")));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    };
    const plot = new uPlot(options, latest.current.data, element);
    chart.current = plot;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth) plot.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
      chart.current = undefined;
    };
    // eslint-disable-next-line -- `shape` stands for everything the options are made of
  }, [shape]);

  useEffect(() => {
    chart.current?.setData(data);
  }, [data]);

  return (
    <div className="line-chart" style={{ height }} onMouseLeave={() => setPointer(undefined)}>
      <div ref={host} role="img" aria-label={label} />
      {pointer ? <Readout plots={plots} pointer={pointer} x={x} width={host.current?.clientWidth ?? 300} /> : null}
    </div>
  );
}

function Readout({ plots, pointer, x, width }: { plots: PlotLine[]; pointer: Pointer; x: XAxis; width: number }) {
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

type PlotShape = Required<Pick<LineChartProps, "plots" | "x" | "isLog" | "isSmoothed" | "height">> & { hasBands: boolean; syncKey?: string; width: number };

function plotOptions({ plots, x, isLog, isSmoothed, hasBands, height, syncKey, width }: PlotShape): Options {
  const axisColor = resolveVariable("--text-3");
  const grid = { stroke: resolveVariable("--line"), width: 1 };
  const font = `11px ${resolveVariable("--font")}`;
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
    width,
    height,
    series,
    bands,
    legend: { show: false },
    padding: [8, 12, 0, 0],
    scales: { x: { time: false }, y: isLog ? { distr: 3 } : {} },
    cursor: { points: { size: 6 }, y: false, ...(syncKey ? { sync: { key: syncKey, setSeries: false } } : {}) },
    axes: [
      { stroke: axisColor, font, grid: { show: false }, ticks: { ...grid, size: 4 }, size: 26, gap: 3, values: (_, splits) => splits.map((at) => (x === "step" ? tickNumber(at) : formatDuration(at * 1000))), space: 64 },
      { stroke: axisColor, font, grid, ticks: { show: false }, size: 52, gap: 4, values: (_, splits) => splits.map((at) => (at === null ? "" : formatNumber(at))), space: 32 },
    ],
  };
}

const tickNumber = (value: number) => (Number.isInteger(value) ? (Math.abs(value) >= 10_000 ? `${formatNumber(value / 1000)}k` : String(value)) : "");
