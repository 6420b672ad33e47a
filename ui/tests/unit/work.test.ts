import { describe, expect, it, vi } from "vitest";
import { barMost, sortBars } from "../../src/charts/bar-list";
import { heldRange } from "../../src/charts/use-plot";
import { isCrossed, timeRows, timeTicks, valueRange, valueTicks, type TimeSeries, type Threshold } from "../../src/charts/time-data";
import { dagBox, layoutDag, stepFrom, type DagNode } from "../../src/components/dag-layout";
import { findLines, LogBuffer, markHits, parseAnsi, stripAnsi } from "../../src/components/log-text";
import { timelineScale } from "../../src/components/timeline-scale";
import { workedMs } from "../../src/components/timeline";

describe("a timeline", () => {
  it("goes from the first beginning to now while anything runs, in at most nine round steps", () => {
    const scale = timelineScale([{ state: "succeeded", startMs: 1000, endMs: 61_000 }, { state: "running", startMs: 30_000 }], 301_000)!;
    expect([scale.fromMs, scale.toMs]).toEqual([1000, 301_000]);
    expect([scale.at(0), scale.at(151_000), scale.at(999_999)]).toEqual([0, 0.5, 1]);
    expect(scale.ticks).toEqual([0, 60_000, 120_000, 180_000, 240_000, 300_000]);
    expect(timelineScale([], 5)).toBeUndefined();
  });

  it("holds work of no length and of weeks", () => {
    expect(timelineScale([{ state: "failed", startMs: 7, endMs: 7 }], 7)).toMatchObject({ fromMs: 7, toMs: 8, ticks: [0] });
    const weeks = timelineScale([{ state: "succeeded", startMs: 0, endMs: 40 * 86_400_000 }], 0)!;
    expect(weeks.ticks.length).toBeLessThanOrEqual(9);
    expect(weeks.ticks[1]! % 86_400_000).toBe(0);
  });

  it("counts no waits as work", () => {
    expect(workedMs([{ state: "queued", startMs: 0, endMs: 10 }, { state: "failed", startMs: 10, endMs: 15 }, { state: "running", startMs: 20 }], 27)).toBe(12);
  });
});

describe("a graph of jobs", () => {
  const node = (id: string, layer: number): DagNode => ({ id, label: id, state: "queued", layer, href: `/${id}` });
  const nodes = [node("load", 0), node("a", 1), node("b", 1), node("join", 2)];
  const edges = [{ from: "load", to: "a" }, { from: "load", to: "b" }, { from: "a", to: "join" }, { from: "b", to: "join" }, { from: "load", to: "join" }];
  const layout = layoutDag(nodes, edges);

  it("stands in the server's layers from left to right, every line leading to the right", () => {
    expect(layout.columns).toEqual([["load"], ["a", "b"], ["join"]]);
    for (const { from, to } of edges) expect(layout.boxes.get(from)!.x).toBeLessThan(layout.boxes.get(to)!.x);
    expect([layout.width, layout.height]).toEqual([3 * dagBox.width + 2 * dagBox.columnGap, 2 * dagBox.height + dagBox.rowGap]);
    expect(layout.lines).toHaveLength(edges.length);
  });

  it("orders layers so that lines do not cross where they need not", () => {
    const crossed = layoutDag([node("p", 0), node("q", 0), node("y", 1), node("z", 1)], [{ from: "p", to: "z" }, { from: "q", to: "y" }]);
    const above = (id: string, other: string) => crossed.boxes.get(id)!.y < crossed.boxes.get(other)!.y;
    expect(above("p", "q")).toBe(above("z", "y"));
  });

  it("is walked by arrow keys", () => {
    expect([stepFrom("load", "ArrowRight", layout, edges), stepFrom("join", "ArrowLeft", layout, edges)]).toEqual(["a", "a"]);
    expect([stepFrom("a", "ArrowDown", layout, edges), stepFrom("a", "ArrowUp", layout, edges), stepFrom("join", "ArrowRight", layout, edges)]).toEqual(["b", undefined, undefined]);
  });

  it("leaves out lines to what is not there", () => {
    expect(layoutDag([node("a", 0)], [{ from: "a", to: "gone" }]).lines).toEqual([]);
    expect(layoutDag([], []).width).toBe(0);
  });
});

describe("a log", () => {
  it("joins pieces to lines, lets bars write over themselves, and shows the line that is not ended", () => {
    const log = new LogBuffer();
    const told = vi.fn();
    log.subscribe(told);
    log.append("one\ntw");
    expect(log.snapshot().lines).toEqual(["one", "tw"]);
    log.append("o\r\n 10%\r 50%");
    expect(log.snapshot().lines).toEqual(["one", "two", " 50%"]);
    log.append("\r100%\nend");
    expect(log.snapshot().lines).toEqual(["one", "two", "100%", "end"]);
    expect(told).toHaveBeenCalledTimes(3);
  });

  it("says how many lines it let go", () => {
    const log = new LogBuffer(3);
    log.append("1\n2\n3\n4\n5\n");
    expect(log.snapshot()).toEqual({ lines: ["3", "4", "5"], dropped: 2 });
    log.clear();
    expect(log.snapshot()).toEqual({ lines: [], dropped: 0 });
  });

  it("takes more lines at once than a call takes arguments", () => {
    const log = new LogBuffer();
    log.append("x\n".repeat(199_000));
    expect(log.snapshot().lines).toHaveLength(199_000);
  });

  it("reads colours and weight, and drops every other code", () => {
    const line = "\u001b[2K\u001b[1;31mbad\u001b[0m and \u001b[38;5;32mfine\u001b[39m \u001b]8;;http://x\u0007link\u001b]8;;\u0007";
    expect(stripAnsi(line)).toBe("bad and fine link");
    expect(parseAnsi(line).map(({ text, color, isBold }) => [text, color, isBold])).toEqual([
      ["bad", 1, true],
      [" and ", undefined, false],
      ["fine", undefined, false],
      [" ", undefined, false],
      ["link", undefined, false],
    ]);
    expect(parseAnsi("\u001b[92mok")).toEqual([{ text: "ok", color: 2, isBold: false }]);
  });

  it("finds text across colours, whatever its case", () => {
    const lines = ["nothing", "an \u001b[31mErr\u001b[0mor", "error error"];
    expect(findLines(lines, "ERROR")).toEqual([1, 2]);
    expect(findLines(lines, "")).toEqual([]);
    const marked = markHits(parseAnsi(lines[1]!), "error");
    expect(marked.map(({ text, color, isHit }) => [text, color, isHit])).toEqual([["an ", undefined, false], ["Err", 1, true], ["or", undefined, true]]);
    expect(markHits(parseAnsi(lines[2]!), "error").filter(({ isHit }) => isHit)).toHaveLength(2);
  });
});

describe("values over time", () => {
  const limit: Threshold = { value: 0.2, label: "alert", severity: "critical", raised: "above" };
  it("leave room for thresholds, and show nothing below zero that is never there", () => {
    const [low, high] = valueRange(0.01, 0.1, [limit]);
    expect(low).toBe(0);
    expect(high).toBeGreaterThan(0.2);
    expect(valueRange(null, null, [])).toEqual([0, 1]);
    expect(valueRange(-1, 1, [])[0]).toBeLessThan(-1);
    const [flatLow, flatHigh] = valueRange(5, 5, []);
    expect(flatHigh - flatLow).toBeGreaterThan(0);
  });

  it("have hours on their axis, and the day where one begins", () => {
    const hour = 3_600_000;
    const evening = new Date(2026, 10, 20, 22).getTime();
    expect(timeTicks([evening, evening + hour, evening + 2 * hour, evening + 3 * hour], hour)).toEqual(["22:00", "23:00", "11-21", "01:00"]);
    expect(timeTicks([evening], 24 * hour)).toEqual(["11-20"]);
    expect(timeTicks([evening, evening + 24 * hour], 24 * hour, evening + 365 * 24 * hour)).toEqual([expect.stringMatching(/^\d{4}-11-20$/), "11-21"]);
    expect(timeTicks([evening + 5000], 5000)).toEqual(["22:00:05"]);
  });

  it("have no label twice on their axis", () => {
    const round = (value: number, digits = 1) => String(Number(value.toPrecision(digits)));
    expect(valueTicks([0.1, 0.2], round)).toEqual(["0.1", "0.2"]);
    expect(valueTicks([1.2, 1.25, 1.3], round)).toEqual(["1.2", "1.25", "1.3"]);
    expect(valueTicks([1, 1], round)).toEqual(["1", "1"]);
  });

  it("stay enlarged when new points come", () => {
    const [before, next] = [[1, 5, 9], [5, 9, 13]];
    expect(heldRange({ min: 1, max: 9 }, before, next)).toBeUndefined();
    expect(heldRange({ min: 2, max: 9 }, before, next)).toEqual({ min: 2, max: 9 });
    expect(heldRange({ min: 1, max: 8 }, before, next)).toEqual({ min: 1, max: 8 });
    expect([heldRange({ min: 1, max: 4 }, before, next), heldRange({ min: 1, max: 2 }, [5], next), heldRange({}, before, next), heldRange(undefined, before, []), heldRange({ min: 2, max: 9 }, before, [])]).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  it("become rows, newest first, that say which threshold they crossed", () => {
    const one: TimeSeries = { id: "a", label: "a", color: 0, timesMs: [1, 2], values: [0.1, 0.3] };
    const other: TimeSeries = { id: "b", label: "b", color: 1, timesMs: [2, 3], values: [null, 0.2] };
    expect(timeRows([one, other], [limit])).toEqual([
      { atMs: 3, values: [null, 0.2], crossed: [] },
      { atMs: 2, values: [0.3, null], crossed: ["alert"] },
      { atMs: 1, values: [0.1, null], crossed: [] },
    ]);
    const sides = (["from", "above", "below"] as const).map((raised) => [0.1, 0.2, 0.3].map((value) => isCrossed({ value: 0.2, raised }, value)));
    expect(sides).toEqual([[false, true, true], [false, false, true], [true, false, false]]);
  });
});

it("bars stand largest first, those without a value last, and leave room for the threshold", () => {
  const items = [{ name: "b", value: 0.1 }, { name: "none", value: null }, { name: "a", value: 0.1 }, { name: "c", value: 0.4 }];
  expect(sortBars(items).map(({ name }) => name)).toEqual(["c", "a", "b", "none"]);
  expect([barMost(items, 0.2), barMost(items, 0.8), barMost([{ name: "x", value: 0 }])]).toEqual([0.4, 1, 1]);
});
