// The columns of the runs table: a few fixed ones, and metrics, params and tags by choice.
import { metricDirection } from "../../components/metric-direction";
import type { RunColumns } from "../../api/native";

export type ColumnKind = "metrics" | "params" | "tags";

export interface RunColumn {
  /** `metrics.acc`: its name in the API and in the URL. */
  id: string;
  kind: ColumnKind;
  key: string;
}

export const maxColumns = 60;
const defaultMetrics = 5;
const defaultParams = 5;
const kinds: ColumnKind[] = ["metrics", "params", "tags"];
export const kindTitles: Record<ColumnKind, string> = { metrics: "Metrics", params: "Params", tags: "Tags" };

export function parseColumn(id: string): RunColumn | undefined {
  const dot = id.indexOf(".");
  const kind = kinds.find((candidate) => candidate === id.slice(0, dot));
  const key = id.slice(dot + 1);
  return kind && key ? { id, kind, key } : undefined;
}

/** Columns in groups, so that each kind has one heading. */
export function orderColumns(ids: readonly string[]): RunColumn[] {
  const columns = [...new Set(ids)].map(parseColumn).filter((column) => column !== undefined);
  return kinds.flatMap((kind) => columns.filter((column) => column.kind === kind)).slice(0, maxColumns);
}

/** The first metrics and params. System metrics say little about a model, so they come only when nothing else does. */
export function defaultColumns(available: RunColumns): string[] {
  const isModel = (key: string) => !key.startsWith("system/");
  const metrics = available.metrics.filter(isModel);
  return [
    ...(metrics.length ? metrics : available.metrics).slice(0, defaultMetrics).map((key) => `metrics.${key}`),
    ...available.params.slice(0, defaultParams).map((key) => `params.${key}`),
  ];
}

/** Wide enough for the heading and a usual value, and no wider. */
export function columnWidth(column: RunColumn, hasBaseline: boolean): number {
  const forHeading = 30 + column.key.length * 7;
  const room = column.kind === "metrics" && hasBaseline ? 56 : 0;
  return Math.max(column.kind === "metrics" ? 88 : 80, Math.min(forHeading, 190)) + room;
}

export interface Sort {
  id: string;
  isDescending: boolean;
}

export function parseSort(text: string): Sort | undefined {
  if (!text) return undefined;
  return text.startsWith("-") ? { id: text.slice(1), isDescending: true } : { id: text, isDescending: false };
}

/** The sort after a click: best or newest first, then the other way, then none. */
export function nextSort(current: string, id: string): string {
  const column = parseColumn(id);
  const startsDescending = column?.kind === "metrics" ? metricDirection(column.key) !== "min" : id === "attributes.start_time";
  const first = startsDescending ? `-${id}` : id;
  const second = startsDescending ? id : `-${id}`;
  if (current === first) return second;
  return current === second ? "" : first;
}

/** MLflow's `order_by`: backticks let a key hold any character. */
export function orderBy(text: string): string[] {
  const sort = parseSort(text);
  if (!sort) return [];
  const dot = sort.id.indexOf(".");
  const name = sort.id.startsWith("attributes.") ? sort.id : `${sort.id.slice(0, dot)}.\`${sort.id.slice(dot + 1)}\``;
  return [`${name} ${sort.isDescending ? "DESC" : "ASC"}`];
}
