// From the server's buckets to what a chart draws.
import { toNumber, type Series } from "../api/native";
import { smooth } from "./smoothing";

export interface Line {
  id: string;
  label: string;
  color: number;
  dash: number;
  series: Series;
  /** Where the time axis of this line begins, in milliseconds. */
  startMs?: number;
}

/** With more lines the ranges of their buckets would hide each other. */
export const bandsUpTo = 3;

export type XAxis = "step" | "time";

export interface PlotLine {
  line: Line;
  x: number[];
  /** What is drawn: smoothed when asked. */
  y: (number | null)[];
  raw: (number | null)[];
  min?: (number | null)[];
  max?: (number | null)[];
}

/** Time is shown in seconds since the run's start: runs of different days lie over each other. */
export function plotLines(lines: readonly Line[], x: XAxis, weight: number, isLog: boolean): PlotLine[] {
  const drawable = (value: number) => (Number.isFinite(value) && (!isLog || value > 0) ? value : null);
  return lines.map((line) => {
    const start = line.startMs ?? line.series.x[0] ?? 0;
    const raw = line.series.last.map((value) => drawable(toNumber(value)));
    return {
      line,
      x: line.series.x.map((at) => (x === "time" ? (at - start) / 1000 : at)),
      raw,
      y: smooth(raw, weight),
      min: line.series.min?.map((value) => drawable(toNumber(value))),
      max: line.series.max?.map((value) => drawable(toNumber(value))),
    };
  });
}

/** New points at the end of a series. They arrive as they were logged; a point that lies behind is left to the next load. */
export function appendPoints(series: Series, points: readonly { x: number; value: Series["last"][number] }[]): Series {
  const end = series.x.at(-1) ?? -Infinity;
  const fresh = points.filter((point) => point.x > end).sort((a, b) => a.x - b.x);
  if (!fresh.length) return series;
  const values = fresh.map((point) => point.value);
  return {
    ...series,
    points: series.points + fresh.length,
    x: [...series.x, ...fresh.map((point) => point.x)],
    last: [...series.last, ...values],
    ...(series.min ? { min: [...series.min, ...values] } : {}),
    ...(series.max ? { max: [...series.max, ...values] } : {}),
  };
}

/** Buckets per line: fewer with many lines, so that a chart stays below 100 kB (each bucket is four numbers). */
export function bucketsFor(lineCount: number): number {
  return Math.max(40, Math.min(300, Math.floor(2000 / Math.max(1, lineCount))));
}

/** Rows of the table twin: one per x, one cell per line. */
export function tableRows(plots: readonly PlotLine[]): { x: number; cells: (number | null)[] }[] {
  const rows = new Map<number, (number | null)[]>();
  plots.forEach((plot, column) => {
    plot.x.forEach((x, index) => {
      const cells = rows.get(x) ?? plots.map(() => null);
      cells[column] = plot.raw[index] ?? null;
      rows.set(x, cells);
    });
  });
  return [...rows].sort(([a], [b]) => a - b).map(([x, cells]) => ({ x, cells }));
}
