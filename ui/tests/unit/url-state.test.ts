import { expect, test } from "vitest";
import { choice, flag, integer, list, optionalList, parseSearch, printSearch, readView, text, writeView } from "../../src/app/url-state";

const view = {
  filter: text("q"),
  columns: optionalList("cols"),
  selection: list("sel"),
  x: choice("x", ["step", "time"] as const, "step"),
  isLog: flag("log"),
  smoothing: integer("smooth", 0, 0, 99),
};

test("defaults leave the URL empty", () => {
  expect(writeView(view, readView(view, {}))).toEqual({});
});

test("a view survives the URL", () => {
  const value = { filter: "metrics.`a b` > 0.9 AND tags.x = 'é'", columns: ["metrics.a,b", "params.50%2C"], selection: ["r1", "r2"], x: "time" as const, isLog: true, smoothing: 60 };
  const search = parseSearch(printSearch(writeView(view, value)));
  expect(readView(view, search)).toEqual(value);
});

test("no columns differ from columns not chosen", () => {
  expect(readView(view, parseSearch(printSearch(writeView(view, { ...readView(view, {}), columns: [] })))).columns).toEqual([]);
  expect(readView(view, {}).columns).toBeUndefined();
});

test("nonsense falls back", () => {
  expect(readView(view, { x: "banana", smooth: "1e9", log: "yes" })).toMatchObject({ x: "step", smoothing: 99, isLog: false });
  expect(readView(view, { smooth: "abc" }).smoothing).toBe(0);
});

test("keys of other views stay", () => {
  expect(writeView(view, { ...readView(view, {}), isLog: true }, { tab: "charts", q: "old" })).toEqual({ tab: "charts", log: "1" });
});
