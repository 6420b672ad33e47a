import { describe, expect, test } from "vitest";
import { readRun } from "../../src/api/mlflow";
import { defaultAxes, defaultScatter, makeDimension, parseRange, printRange, runsInRanges, valueAt } from "../../src/features/compare/dimensions";
import { compareRuns, sortOrder, type CellValue, type Row, type RowKind } from "../../src/features/compare/rows";

const pairs = (record: Record<string, string>) => Object.entries(record).map(([key, value]) => ({ key, value }));
const run = (id: string, metrics: Record<string, number | string>, params: Record<string, string>, tags: Record<string, string> = {}) =>
  readRun({
    info: { run_id: id, start_time: 1000, end_time: 3000, status: "FINISHED", experiment_id: "1" },
    data: { metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, step: 0, timestamp: 0 })), params: pairs(params), tags: pairs(tags) },
  });
const row = (kind: RowKind, key: string, values: CellValue[]): Row => ({ id: `${kind}.${key}`, kind, key, values, differs: new Set(values).size > 1 });

describe("rows", () => {
  const rows = compareRuns([run("a", { loss: 0.5 }, { lr: "0.10" }, { team: "x", "mlflow.runName": "one" }), run("b", { loss: "NaN", acc: 1 }, { lr: "1e-1" }, { team: "x", "mlflow.runName": "two" })], () => "digits");
  const find = (id: string) => rows.find((candidate) => candidate.id === id);

  test("each kind has its rows, and what a name repeats is left out", () => {
    expect(find("attributes.experiment")).toMatchObject({ values: ["digits", "digits"], differs: false });
    expect(find("metrics.acc")).toMatchObject({ values: [undefined, 1], differs: true });
    expect(find("params.lr")?.differs).toBe(false);
    expect(find("tags.team")?.differs).toBe(false);
    expect(find("tags.mlflow.runName")).toBeUndefined();
  });

  test("runs are sorted by a row, those without a value last either way", () => {
    const values = [undefined, 0.2, Number.NaN, 0.9, ""];
    expect(sortOrder(values, true)).toEqual([3, 1, 0, 2, 4]);
    expect(sortOrder(values, false)).toEqual([1, 3, 0, 2, 4]);
    expect(sortOrder(["10", "9", "2"], false)).toEqual([2, 1, 0]);
    expect(sortOrder(["sgd", "adam"], false)).toEqual([1, 0]);
  });
});

describe("dimensions", () => {
  test("numbers far apart stand on a logarithmic axis", () => {
    const rate = makeDimension(row("params", "lr", ["0.1", "0.001", undefined]));
    expect(rate).toMatchObject({ isNumeric: true, isLog: true, values: [0.1, 0.001, undefined] });
    expect(rate.at(0.01)).toBeCloseTo(0.5);
    expect(valueAt(rate, 0.5)).toBeCloseTo(0.01);
  });

  test("a few values of a param are its ticks, unless their labels would overlap", () => {
    expect(makeDimension(row("params", "batch", ["32", "64", "128", "64"])).ticks.map((tick) => tick.label)).toEqual(["32", "64", "128"]);
    expect(makeDimension(row("params", "n", ["1", "1.01", "2"])).ticks.map((tick) => tick.value)).not.toContain(1.01);
  });

  test("an axis that is made logarithmic loses what is not positive", () => {
    expect(makeDimension(row("metrics", "gain", [-1, 0, 2, 4]), true)).toMatchObject({ isLog: true, values: [undefined, undefined, 2, 4] });
    expect(makeDimension(row("metrics", "gain", [-1, -2]), true).isLog).toBe(false);
  });

  test("texts are names on the axis, and values that are no numbers are absent", () => {
    expect(makeDimension(row("params", "solver", ["sgd", "adam", undefined]))).toMatchObject({ isNumeric: false, values: [1, 0, undefined], max: 1 });
    expect(makeDimension(row("metrics", "loss", [Number.NaN, 1, 2])).values).toEqual([undefined, 1, 2]);
  });

  test("axes are what was varied and what says how good it was", () => {
    const rows = [
      row("metrics", "accuracy", [0.1, 0.2]), row("metrics", "system/cpu", [1, 2]), row("metrics", "val_accuracy", [0.1, 0.3]),
      row("params", "depth", ["2", "3"]), row("params", "seed", ["1", "1"]), row("params", "solver", ["sgd", "adam"]),
    ];
    expect(defaultAxes(rows)).toEqual(["params.depth", "params.solver", "metrics.accuracy", "metrics.val_accuracy"]);
    expect(defaultScatter(rows)).toEqual({ x: "params.depth", y: "metrics.val_accuracy" });
    expect(defaultAxes([row("params", "rare", ["1", undefined, undefined]), row("params", "usual", ["1", "2", "3"])])).toEqual(["params.usual", "params.rare"]);
    expect(defaultScatter([])).toEqual({ x: undefined, y: undefined });
  });
});

describe("ranges", () => {
  test("a range survives the URL, whatever its key holds", () => {
    expect(parseRange(printRange({ id: "params.a:b", from: 0.1234567, to: 2 }))).toEqual({ id: "params.a:b", from: 0.123457, to: 2 });
    expect(parseRange("metrics.loss:x:2")).toBeUndefined();
    expect(parseRange("nonsense")).toBeUndefined();
  });

  test("a run lies in all ranges or in none", () => {
    const dimensions = [makeDimension(row("metrics", "a", [1, 2, undefined])), makeDimension(row("metrics", "b", [5, 6, 7]))];
    expect(runsInRanges(dimensions, [{ id: "metrics.a", from: 1, to: 1.5 }], 3)).toEqual([true, false, false]);
    expect(runsInRanges(dimensions, [{ id: "metrics.a", from: 1, to: 2 }, { id: "metrics.b", from: 6, to: 9 }], 3)).toEqual([false, true, false]);
    expect(runsInRanges(dimensions, [{ id: "metrics.gone", from: 0, to: 0 }], 3)).toEqual([true, true, true]);
  });
});
