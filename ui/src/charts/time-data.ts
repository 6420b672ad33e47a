// Values over clock time, from several sources with times of their own, with bands, thresholds and marks.
import { formatDateTime } from "../components/format";

export interface TimeSeries {
  id: string;
  label: string;
  /** The CSS variable `--run-<n>`. */
  color: number;
  dash?: number;
  /** Ascending, in milliseconds since 1970. */
  timesMs: readonly number[];
  /** Nothing where nothing was measured: the line has a gap there. */
  values: readonly (number | null)[];
  /** The range around the values: p5 to p95, a confidence interval, the reference's range. Both or none. */
  lower?: readonly (number | null)[];
  upper?: readonly (number | null)[];
}

/** On which side of a threshold a value is worth a warning; `from` holds the threshold itself, too. */
export type Raised = "from" | "above" | "below";

export interface Threshold {
  value: number;
  label: string;
  severity: "warning" | "critical";
  raised: Raised;
}

export const isCrossed = ({ value: limit, raised }: Pick<Threshold, "value" | "raised">, value: number): boolean =>
  raised === "from" ? value >= limit : raised === "above" ? value > limit : value < limit;

/** A moment: a version was promoted, an alert was raised. */
export interface TimeMark {
  atMs: number;
  label: string;
}

/** A stretch of time: an alert was open. Without an end it goes on. */
export interface TimeSpan {
  fromMs: number;
  toMs?: number;
  label: string;
}

export const hasBand = (series: TimeSeries): boolean => series.lower !== undefined && series.upper !== undefined;

/** The y range: all that is drawn and all thresholds, with some room; a flat line is given height. */
export function valueRange(low: number | null, high: number | null, thresholds: readonly Threshold[]): [number, number] {
  const bounds = [low, high, ...thresholds.map(({ value }) => value)].filter((value): value is number => value !== null && Number.isFinite(value));
  if (!bounds.length) return [0, 1];
  const [least, most] = [Math.min(...bounds), Math.max(...bounds)];
  const room = (most - least) * 0.08 || Math.abs(most) * 0.1 || 1;
  // What is never below zero is not shown as if it could be.
  return [least >= 0 ? Math.max(0, least - room) : least - room, most + room];
}

/** Labels of the time axis in the reader's zone: hours, and the day where one begins; the year where it is not this one. */
export function timeTicks(ticksMs: readonly number[], stepMs: number, nowMs = Date.now()): string[] {
  return ticksMs.map((atMs, index) => {
    const [date, time] = formatDateTime(atMs).split(" ") as [string, string];
    const isNewDay = index > 0 && formatDateTime(ticksMs[index - 1]!).slice(0, 10) !== date;
    const isOtherYear = date.slice(0, 4) !== formatDateTime(ticksMs[index - 1] ?? nowMs).slice(0, 4);
    if (stepMs >= 86_400_000 || isNewDay) return isOtherYear ? date : date.slice(5);
    return stepMs < 60_000 ? time : time.slice(0, 5);
  });
}

const mostDigits = 6;

/** Labels of the value axis: with as many digits as tell neighbours apart. */
export function valueTicks(ticks: readonly number[], format: (value: number, digits?: number) => string): string[] {
  for (let digits: number | undefined; ; digits = (digits ?? 2) + 1) {
    const labels = ticks.map((tick) => format(tick, digits));
    if (new Set(labels).size === labels.length || digits === mostDigits) return labels;
  }
}

export interface TimeRow {
  atMs: number;
  values: (number | null)[];
  /** Names of the thresholds that any value has crossed. */
  crossed: string[];
}

/** Rows of the table twin, newest first. */
export function timeRows(series: readonly TimeSeries[], thresholds: readonly Threshold[]): TimeRow[] {
  const rows = new Map<number, (number | null)[]>();
  series.forEach(({ timesMs, values }, column) => {
    timesMs.forEach((atMs, index) => {
      const cells = rows.get(atMs) ?? series.map(() => null);
      cells[column] = values[index] ?? null;
      rows.set(atMs, cells);
    });
  });
  return [...rows]
    .sort(([a], [b]) => b - a)
    .map(([atMs, values]) => ({ atMs, values, crossed: thresholds.filter((threshold) => values.some((each) => each !== null && isCrossed(threshold, each))).map(({ label }) => label) }));
}
