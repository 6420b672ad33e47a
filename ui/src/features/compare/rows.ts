// The rows of the comparison: what each run is, then its metrics, params and tags.
import type { Run } from "../../api/mlflow";
import { toNumber } from "../../api/native";
import { compareKeys, sameValue } from "./diff";

export type RowKind = "attributes" | "metrics" | "params" | "tags";
export type CellValue = number | string | undefined;

export interface Row {
  /** `metrics.loss`: also what the URL sorts by. */
  id: string;
  kind: RowKind;
  key: string;
  values: CellValue[];
  differs: boolean;
}

export const rowTitles: Record<RowKind, string> = { attributes: "Runs", metrics: "Metrics", params: "Params", tags: "Tags" };

/** Tags that repeat what stands elsewhere, or that no one compares by eye. */
const hiddenTags = new Set(["mlflow.runName", "mlflow.user", "mlflow.log-model.history", "mlflow.note.content", "mlflow.parentRunId", "mlflow.rootRunId"]);

export function compareRuns(runs: readonly Run[], experimentName: (id: string) => string): Row[] {
  const attribute = (key: string, read: (run: Run) => CellValue): Row => {
    const values = runs.map(read);
    return { id: `attributes.${key}`, kind: "attributes", key, values, differs: values.some((value) => !sameValue(value, values[0])) };
  };
  const rows = (kind: RowKind, maps: ReadonlyMap<string, string | number>[]): Row[] =>
    compareKeys(maps).map((row) => ({ ...row, id: `${kind}.${row.key}`, kind }));
  return [
    attribute("status", (run) => run.info.status),
    attribute("start_time", (run) => run.info.start_time),
    attribute("duration", (run) => (run.info.end_time === undefined ? undefined : run.info.end_time - run.info.start_time)),
    attribute("user", (run) => run.info.user_id),
    attribute("experiment", (run) => experimentName(run.info.experiment_id)),
    ...rows("metrics", runs.map((run) => new Map(run.metrics.map((metric) => [metric.key, toNumber(metric.value)])))),
    ...rows("params", runs.map((run) => new Map(run.params.map((param) => [param.key, param.value])))),
    ...rows("tags", runs.map((run) => new Map(run.tags.filter((tag) => !hiddenTags.has(tag.key)).map((tag) => [tag.key, tag.value])))),
  ];
}

/** The order of runs by one row: numbers as numbers, and runs without a value last either way. */
export function sortOrder(values: readonly CellValue[], isDescending: boolean): number[] {
  const isAbsent = (value: CellValue) => value === undefined || value === "" || (typeof value === "number" && Number.isNaN(value));
  const compare = (a: CellValue, b: CellValue) => {
    const [left, right] = [Number(a), Number(b)];
    return Number.isNaN(left) || Number.isNaN(right) ? String(a).localeCompare(String(b)) : left - right;
  };
  return values
    .map((_, index) => index)
    .sort((a, b) => {
      const [left, right] = [values[a], values[b]];
      if (isAbsent(left) || isAbsent(right)) return Number(isAbsent(left)) - Number(isAbsent(right));
      return compare(left, right) * (isDescending ? -1 : 1);
    });
}
