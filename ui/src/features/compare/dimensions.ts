// A metric or param as an axis: numbers on a linear or logarithmic scale, and texts as evenly spaced names.
import { linearScale, logScale, type Scale } from "../../charts/scale";
import { isSystemMetric } from "../../charts/metric-groups";
import { byName } from "../../components/by-name";
import { formatNumber } from "../../components/format";
import { metricDirection } from "../../components/metric-direction";
import type { Row } from "./rows";

export interface Dimension {
  /** `params.lr`. */
  id: string;
  key: string;
  isNumeric: boolean;
  isLog: boolean;
  /** One per run, in units of the axis; absent where the run has none. */
  values: (number | undefined)[];
  texts: string[];
  min: number;
  max: number;
  /** Where a value lies, 0 to 1. */
  at: (value: number) => number;
  ticks: { value: number; label: string }[];
}

/** Values that span this factor are unreadable on a linear axis. */
const logFrom = 50;
const namesAtMost = 14;
const ownTicksAtMost = 6;
/** Labels closer than this share of the axis overlap. */
const ticksApart = 0.055;

/** `log` unset: a logarithmic scale where the values ask for one. What cannot stand on it is absent. */
export function makeDimension(row: Row, log?: boolean): Dimension {
  const numbers = row.values.map((value) => (value === undefined || value === "" ? undefined : Number(value)));
  const isNumeric = row.kind === "metrics" || numbers.every((value) => value === undefined || !Number.isNaN(value));
  const texts = row.values.map((value) => (value === undefined ? "" : typeof value === "number" ? formatNumber(value) : value));
  if (!isNumeric) return makeNames(row, texts);
  const values = numbers.map((value) => (value !== undefined && Number.isFinite(value) ? value : undefined));
  const present = values.filter((value) => value !== undefined);
  const positive = present.filter((value) => value > 0);
  const isWorthLog = positive.length === present.length && Math.max(...positive) / Math.min(...positive) >= logFrom;
  const isLog = positive.length > 0 && (log ?? isWorthLog);
  const scale: Scale = isLog ? logScale(positive) : linearScale(present);
  return {
    id: row.id, key: row.key, isNumeric: true, isLog, texts, min: scale.min, max: scale.max, at: scale.at,
    values: isLog ? values.map((value) => (value !== undefined && value > 0 ? value : undefined)) : values,
    ticks: ticksOf(row, isLog ? positive : present, scale),
  };
}

/** The value at a place of an axis, 0 at its foot and 1 at its head. */
export function valueAt(dimension: Dimension, share: number): number {
  const { min: low, max: high } = dimension;
  if (dimension.isLog) return Math.exp(Math.log(low) + share * (Math.log(high) - Math.log(low)));
  return low + share * (high - low);
}

/** A param that takes few values is read best at exactly these. */
function ticksOf(row: Row, present: number[], scale: Scale): Dimension["ticks"] {
  const distinct = [...new Set(present)].sort((a, b) => a - b);
  const isApart = (value: number, index: number) => index === 0 || scale.at(value) - scale.at(distinct[index - 1]!) >= ticksApart;
  const hasOwn = row.kind === "params" && distinct.length > 0 && distinct.length <= ownTicksAtMost && distinct.every(isApart);
  return (hasOwn ? distinct : scale.ticks).map((value) => ({ value, label: formatNumber(value) }));
}

function makeNames(row: Row, texts: string[]): Dimension {
  const names = [...new Set(texts.filter((text) => text !== ""))].sort(byName);
  const last = Math.max(1, names.length - 1);
  const every = Math.ceil(names.length / namesAtMost);
  return {
    id: row.id, key: row.key, isNumeric: false, isLog: false, texts, min: 0, max: last,
    values: texts.map((text) => (text === "" ? undefined : names.indexOf(text))),
    at: (value) => (names.length === 1 ? 0.5 : value / last),
    ticks: names.map((label, value) => ({ value, label })).filter((_, index) => index % every === 0),
  };
}

const defaultParams = 5;
const defaultMetrics = 3;
/** How many runs have a value: what few have makes an empty axis. */
const coverage = (row: Row) => row.values.filter((value) => value !== undefined && value !== "").length;
const isModelMetric = (row: Row) => row.kind === "metrics" && !isSystemMetric(row.key);

/** Params in which the runs differ, then the metrics that say how good they are. */
export function defaultAxes(rows: readonly Row[]): string[] {
  const params = rows.filter((row) => row.kind === "params" && row.differs && new Set(row.values).size <= Math.max(12, row.values.length / 2));
  const metrics = rows.filter((row) => isModelMetric(row) && row.differs);
  params.sort((a, b) => coverage(b) - coverage(a));
  return [...params.slice(0, defaultParams), ...byImportance(metrics).slice(0, defaultMetrics).reverse()].map((row) => row.id);
}

/** Metrics on data that training has not seen say most, then those that have a good end at all. */
function byImportance(metrics: readonly Row[]): Row[] {
  const weight = ({ key }: Row) => (metricDirection(key) ? 2 : 0) + (metricDirection(key) && /(^|[^a-z])(val|valid|validation|test|eval)([^a-z]|$)/i.test(key) ? 1 : 0);
  return [...metrics].sort((a, b) => weight(b) - weight(a) || coverage(b) - coverage(a) || byName(a.key, b.key));
}

/** The most telling metric over the number that was varied most. */
export function defaultScatter(rows: readonly Row[]): { x: string | undefined; y: string | undefined } {
  const differing = rows.filter((row) => row.differs);
  const [first, second] = byImportance(differing.filter(isModelMetric));
  const varied = differing
    .filter((row) => row.kind === "params" && makeDimension(row).isNumeric)
    .sort((a, b) => new Set(b.values).size - new Set(a.values).size)[0];
  return { x: (varied ?? second ?? first)?.id, y: first?.id };
}

/** A marked part of an axis, as the URL holds it: `params.lr:0.01:0.1`. */
export interface AxisRange {
  id: string;
  from: number;
  to: number;
}

export function parseRange(text: string): AxisRange | undefined {
  const match = /^(.+):([^:]+):([^:]+)$/.exec(text);
  const range = { id: match?.[1] ?? "", from: Number(match?.[2]), to: Number(match?.[3]) };
  return match && Number.isFinite(range.from) && Number.isFinite(range.to) ? range : undefined;
}

export const printRange = ({ id, from, to }: AxisRange): string => `${id}:${Number(from.toPrecision(6))}:${Number(to.toPrecision(6))}`;

/** For each run, whether it lies in every marked range. */
export function runsInRanges(dimensions: readonly Dimension[], ranges: readonly AxisRange[], runCount: number): boolean[] {
  return Array.from({ length: runCount }, (_, run) =>
    ranges.every(({ id, from, to }) => {
      const dimension = dimensions.find((candidate) => candidate.id === id);
      if (!dimension) return true;
      const value = dimension.values[run];
      return value !== undefined && value >= from && value <= to;
    }),
  );
}
