import { expect, test } from "vitest";
import { appendPoints, bucketsFor, plotLines, tableRows } from "../../src/charts/chart-data";
import { assignStyles, runColor, runColorCount } from "../../src/charts/run-style";
import { linearScale, logScale, niceStep } from "../../src/charts/scale";
import { smooth } from "../../src/charts/smoothing";

test("smoothing keeps a constant and begins at the first value", () => {
  expect(smooth([2, 2, 2], 0.9).map((value) => Number(value?.toFixed(9)))).toEqual([2, 2, 2]);
  expect(smooth([5, 1], 0.5)[0]).toBeCloseTo(5);
});

test("smoothing leaves gaps and does not spread them", () => {
  const smoothed = smooth([1, null, Number.NaN, 1], 0.5);
  expect(smoothed[1]).toBeNull();
  expect(smoothed[2]).toBeNaN();
  expect(smoothed[3]).toBeCloseTo(1);
});

test("a run's colour follows from its id alone, and ids spread", () => {
  const ids = Array.from({ length: 400 }, (_, index) => `0192f${index.toString(16).padStart(27, "0")}`);
  expect(assignStyles(ids.slice(0, 3)).get(ids[1]!)!.color).toBe(runColor(ids[1]!));
  const counts = new Array<number>(runColorCount).fill(0);
  for (const id of ids) counts[runColor(id)]! += 1;
  expect(Math.min(...counts)).toBeGreaterThan(20);
});

test("runs of one colour get different dashes", () => {
  const ids = Array.from({ length: 24 }, (_, index) => `run-${index}`);
  const styles = assignStyles(ids);
  expect(new Set([...styles.values()].map(({ color, dash }) => `${color}/${dash}`)).size).toBeGreaterThan(18);
  expect(assignStyles([...ids].reverse())).toEqual(styles);
});

const series = { run_id: "r", metric_key: "loss", points: 3, x: [1000, 3000], last: [1, "NaN" as const], min: [0, 0.5], max: [1, 2] };
const line = { id: "r", label: "r", color: 0, dash: 0, series, startMs: 1000 };

test("time is seconds since the run's start and unknown values are gaps", () => {
  const [plot] = plotLines([line], "time", 0, false);
  expect(plot).toMatchObject({ x: [0, 2], y: [1, null], min: [0, 0.5] });
});

test("a log axis leaves out what is not positive", () => {
  expect(plotLines([line], "step", 0, true)[0]?.min).toEqual([null, 0.5]);
});

test("streamed points are appended once and in order", () => {
  const appended = appendPoints(series, [{ x: 5000, value: 3 }, { x: 4000, value: 2 }, { x: 3000, value: 9 }]);
  expect(appended).toMatchObject({ x: [1000, 3000, 4000, 5000], last: [1, "NaN", 2, 3], max: [1, 2, 2, 3], points: 5 });
  expect(appendPoints(series, [{ x: 1, value: 0 }])).toBe(series);
});

test("ten lines fit 100 kB", () => {
  expect(bucketsFor(1)).toBe(300);
  expect(bucketsFor(10) * 10 * 4 * 12).toBeLessThan(100_000);
});

test("the table twin has a row for every x", () => {
  const plots = plotLines([line, { ...line, id: "s", series: { ...series, x: [3000, 4000], last: [7, 8] } }], "step", 0, false);
  expect(tableRows(plots)).toEqual([{ x: 1000, cells: [1, null] }, { x: 3000, cells: [null, 7] }, { x: 4000, cells: [null, 8] }]);
});

test("scales", () => {
  expect(niceStep(1, 5)).toBeCloseTo(0.2);
  expect(linearScale([0, 10]).ticks).toEqual([0, 2, 4, 6, 8, 10]);
  expect(linearScale([3, 3]).at(3)).toBeCloseTo(0.5);
  expect(logScale([0.01, 1]).ticks).toEqual([0.01, 0.1, 1]);
  expect(logScale([0, -1]).ticks.length).toBeGreaterThan(0);
});
