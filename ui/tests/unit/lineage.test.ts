import { describe, expect, it, test } from "vitest";
import type { Lineage } from "../../src/api/native";
import { layoutLineage } from "../../src/features/lineage/layout";
import { usersOf } from "../../src/features/lineage/users-of";

function columnsOf(depths: Record<string, number>, edges: [string, string][]): string[][] {
  const graph: Lineage = {
    center: Object.keys(depths).find((name) => depths[name] === 0)!,
    nodes: Object.entries(depths).map(([name, depth]) => ({ name, depth, kind: "run", label: name })),
    edges: edges.map(([from, to]) => ({ from, to, kind: "read" })),
    truncated: false,
  };
  const columns = new Map<number, string[]>();
  for (const node of layoutLineage(graph).nodes) columns.set(node.x, [...(columns.get(node.x) ?? []), node.name]);
  return [...columns].sort(([a], [b]) => a - b).map(([, names]) => names.sort());
}

test("a run stands left of the model that it logged, though a version names both", () => {
  const depths = { data: -2, run: -1, logged: -1, version: 0 };
  expect(columnsOf(depths, [["logged", "version"], ["run", "version"], ["data", "run"], ["run", "logged"]])).toEqual([["data"], ["run"], ["logged"], ["version"]]);
});

test("results stand right of their causes, and runs of one dataset below each other", () => {
  const depths = { data: 0, "run-1": 1, "run-2": 1, logged: 2, version: 2 };
  expect(columnsOf(depths, [["data", "run-1"], ["data", "run-2"], ["run-1", "logged"], ["run-1", "version"], ["logged", "version"]])).toEqual([["data"], ["run-1", "run-2"], ["logged"], ["version"]]);
});

test("a circle is drawn too", () => {
  expect(columnsOf({ a: 0, b: 1, c: 1 }, [["a", "b"], ["b", "c"], ["c", "b"], ["c", "a"]]).flat().sort()).toEqual(["a", "b", "c"]);
});

describe("users of a data commit", () => {
  const edge = (from: string, kind: string, to: string) => ({ from: `p/${from}`, kind, to: `p/${to}`, at_ms: 0 });
  it("are reached through what read it, not through later commits", () => {
    const edges = [
      edge("data/flights@a", "read", "run/1"),
      edge("data/flights@a", "committed", "data/flights@b"),
      edge("data/flights@b", "read", "run/2"),
      edge("run/1", "produced", "logged-model/m"),
      edge("run/1", "registered", "model/scorer/1"),
      edge("logged-model/m", "registered", "model/scorer/1"),
      edge("run/1", "wrote", "data/other@c"),
    ];
    expect(usersOf({ edges } as never, "p/data/flights@a").map(({ name, steps, how }) => [name, steps, how.join()])).toEqual([
      ["p/run/1", 1, "read"],
      ["p/data/other@c", 2, "wrote"],
      ["p/logged-model/m", 2, "produced"],
      ["p/model/scorer/1", 2, "registered"],
    ]);
  });
});
