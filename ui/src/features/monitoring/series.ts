// Windows of a deployment as lines of charts: one line for each version in each role, with a gap where there was no window.
import type { Alert, AlertRule, ColumnDrift, Drift, LedgerEvent, Variant } from "../../api/native";
import type { Threshold, TimeMark, TimeSeries, TimeSpan } from "../../charts/time-data";
import { raisedOf } from "./rules";

export interface VersionWindow {
  start_ms: number;
  length_ms: number;
  version: number;
  variant: Variant;
}

const colors: Record<Variant, number> = { primary: 0, canary: 1, shadow: 5 };
const dashes: Record<Variant, number> = { primary: 0, canary: 1, shadow: 2 };
const maxColors = 8;

export const lineLabel = ({ version, variant }: Pick<VersionWindow, "version" | "variant">): string => `v${version} (${variant})`;

interface Point {
  atMs: number;
  lengthMs: number;
  value: number | null;
  lower?: number | null;
  upper?: number | null;
}

/** The points of a line; where a window is missing between two, an empty one, so that nothing is drawn across. */
export function withGaps(points: readonly Point[]): Point[] {
  const all: Point[] = [];
  for (const point of points) {
    const last = all.at(-1);
    if (last && point.atMs > last.atMs + last.lengthMs * 1.5) all.push({ atMs: last.atMs + last.lengthMs, lengthMs: last.lengthMs, value: null, lower: null, upper: null });
    all.push(point);
  }
  return all;
}

function line(id: string, label: string, color: number, dash: number, points: readonly Point[]): TimeSeries {
  const all = withGaps([...points].sort((a, b) => a.atMs - b.atMs));
  const hasBand = points.some(({ lower }) => lower !== undefined);
  return {
    id,
    label,
    color,
    dash,
    timesMs: all.map(({ atMs }) => atMs),
    values: all.map(({ value }) => value),
    ...(hasBand ? { lower: all.map(({ lower }) => lower ?? null), upper: all.map(({ upper }) => upper ?? null) } : {}),
  };
}

/** One line for each version and role. A version that changed its role goes on in another line of another colour. */
export function linesByVersion<Row extends VersionWindow>(rows: readonly Row[], read: (row: Row) => number | undefined, band?: (row: Row) => [number | undefined, number | undefined]): TimeSeries[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const id = `${row.variant} ${row.version}`;
    groups.set(id, [...(groups.get(id) ?? []), row]);
  }
  const used = new Set<number>();
  const colorFor = (variant: Variant) => {
    let color = colors[variant];
    while (used.has(color) && used.size < maxColors) color = (color + 1) % maxColors;
    used.add(color);
    return color;
  };
  const order = ["primary", "canary", "shadow"];
  return [...groups]
    .sort(([, [a]], [, [b]]) => order.indexOf(a!.variant) - order.indexOf(b!.variant) || b!.version - a!.version)
    .map(([id, group]) => {
      const { variant } = group[0]!;
      const points = group.map((row) => {
        const [lower, upper] = band?.(row) ?? [];
        return { atMs: row.start_ms, lengthMs: row.length_ms, value: read(row) ?? null, ...(band ? { lower: lower ?? null, upper: upper ?? null } : {}) };
      });
      return line(id, lineLabel(group[0]!), colorFor(variant), dashes[variant], points);
    });
}

/** The measure that all kinds of columns have. */
export const psiOf = (column: ColumnDrift | undefined): number | undefined => column?.tests.find(({ test }) => test === "psi")?.value;
export const psiThreshold = (drift: Drift): number => drift.windows.flatMap(({ columns }) => columns.flatMap(({ tests }) => tests)).find(({ test }) => test === "psi")?.threshold ?? 0.2;

export function driftLines(drift: Drift, part: string, names: readonly string[]): TimeSeries[] {
  return names.map((name, index) =>
    line(
      name,
      name,
      index % maxColors,
      index % 4,
      drift.windows.map(({ start_ms, length_ms, columns }) => ({
        atMs: start_ms,
        lengthMs: length_ms,
        value: psiOf(columns.find((column) => column.part === part && column.name === name)) ?? null,
      })),
    ),
  );
}

export function driftShareLine(drift: Drift): TimeSeries {
  return line("share", "drifted inputs", 0, 0, drift.windows.map(({ start_ms, length_ms, drift_share }) => ({ atMs: start_ms, lengthMs: length_ms, value: drift_share ?? null })));
}

/** The columns that drifted most in a window, most first. */
export function mostDrifted(columns: readonly ColumnDrift[], part: string, count: number): string[] {
  return columns
    .filter((column) => column.part === part)
    .sort((a, b) => (psiOf(b) ?? -1) - (psiOf(a) ?? -1) || a.name.localeCompare(b.name))
    .slice(0, count)
    .map(({ name }) => name);
}

/** Lines that alert rules draw into a chart of their metric. */
export const ruleThresholds = (rules: readonly AlertRule[] | undefined, isMeant: (rule: AlertRule) => boolean): Threshold[] =>
  (rules ?? []).filter(isMeant).map((rule) => ({ value: rule.threshold, label: rule.name, severity: rule.severity === "critical" ? "critical" : "warning", raised: raisedOf(rule) }));

/** From the window in which an alert began to the one that resolved it: an open one goes on, and one whose rule was deleted has its window. */
export const alertSpans = (alerts: readonly Alert[] | undefined, lengthMs: number, isMeant: (rule: string) => boolean): TimeSpan[] =>
  (alerts ?? [])
    .filter(({ rule }) => isMeant(rule))
    .map(({ window_start_ms, resolved_at_ms, resolved_window_start_ms, rule }) => ({
      fromMs: window_start_ms,
      // The window that began it may have resolved it, by what came to it later: it is seen all the same.
      ...(resolved_at_ms === undefined ? {} : { toMs: Math.max(resolved_window_start_ms ?? 0, window_start_ms + lengthMs) }),
      label: `alert ${rule}`,
    }));

/** Changes of versions in the windows from the first to the last; what came in the last one stands at its beginning, where the axis ends. */
export function changeMarks(events: readonly LedgerEvent[] | undefined, windows: readonly Pick<VersionWindow, "start_ms" | "length_ms">[]): TimeMark[] {
  const [first, last] = [windows[0], windows.at(-1)];
  if (!first || !last) return [];
  return (events ?? []).flatMap(({ action, at_ms, detail }) => {
    if (at_ms < first.start_ms || at_ms >= last.start_ms + last.length_ms) return [];
    const atMs = Math.min(at_ms, last.start_ms);
    const version = `v${String(detail?.version ?? "?")}`;
    if (action === "deployment.promoted") return [{ atMs, label: `${version} promoted` }];
    if (action === "deployment.canary_started") return [{ atMs, label: `canary ${version}` }];
    if (action === "deployment.rolled_back") return [{ atMs, label: "rolled back" }];
    return [];
  });
}

/** How often each error came, the most frequent first. */
export function errorCounts(rows: readonly { errors: Record<string, number> }[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { errors } of rows) for (const [code, count] of Object.entries(errors)) counts.set(code, (counts.get(code) ?? 0) + count);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

/** `62 of 240` as numbers. */
export function arrivedLabels(rows: readonly { rows: number; labelled: number }[]): { rows: number; labelled: number } {
  return rows.reduce((sum, row) => ({ rows: sum.rows + row.rows, labelled: sum.labelled + row.labelled }), { rows: 0, labelled: 0 });
}

const usualMeasures = ["accuracy", "f1", "auc", "precision", "recall", "rmse", "mae", "r2"];

/** All measures that some window has, the usual ones first. */
export function measuresOf(rows: readonly { measures: Record<string, number> }[]): string[] {
  const rank = (name: string) => (usualMeasures.includes(name) ? usualMeasures.indexOf(name) : usualMeasures.length);
  return [...new Set(rows.flatMap(({ measures }) => Object.keys(measures)))].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}
