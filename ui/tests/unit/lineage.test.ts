import { describe, expect, it, test } from "vitest";
import type { Lineage } from "../../src/api/native";
import { namesIn, versionsOf } from "../../src/features/lineage/findings";
import { countKinds, hideKinds } from "../../src/features/lineage/hide-kinds";
import { layoutLineage } from "../../src/features/lineage/layout";
import { titleOf } from "../../src/features/lineage/titles";
import { touches } from "../../src/features/lineage/use-lineage";
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
  it("are what depends on any other thing, without the thing itself where the way leads round", () => {
    const around = [{ from: "p/model/m/1", kind: "serves", to: "p/deployment/d" }, { from: "p/deployment/d", kind: "started", to: "p/model/m/1" }, { from: "p/model/m/1", kind: "compared", to: "p/model/m/2" }];
    expect(usersOf({ edges: around } as never, "p/model/m/1").map(({ name }) => name)).toEqual(["p/deployment/d", "p/model/m/2"]);
  });
});

describe("hidden kinds", () => {
  const node = (name: string, depth: number) => ({ name: `p/${name}`, kind: name.split("/")[0]!, label: name, depth });
  const edge = (from: string, to: string) => ({ from: `p/${from}`, to: `p/${to}`, kind: "made" });
  const graph: Lineage = {
    center: "p/model/m/1",
    nodes: [node("data/d@a", -3), node("job/r/train", -2), node("run/1", -1), node("model/m/1", 0), node("deployment/d", 1), node("model/m/2", 1)],
    edges: [edge("data/d@a", "job/r/train"), edge("job/r/train", "run/1"), edge("run/1", "model/m/1"), edge("run/1", "model/m/2"), edge("model/m/1", "deployment/d"), edge("run/1", "run/1")],
    truncated: false,
  };
  const lines = (hidden: string[]) => hideKinds(graph, hidden).edges.map(({ from, kind, to }) => `${from} ${kind} ${to}`.replaceAll("p/", ""));
  it("leave what they stood between connected, once, and stay out where nothing is behind them", () => {
    expect(lines([])).toHaveLength(6);
    expect(lines(["job"])).toContain("data/d@a indirectly run/1");
    expect(lines(["job", "run"])).toEqual(["model/m/1 made deployment/d", "data/d@a indirectly model/m/1", "data/d@a indirectly model/m/2"]);
    expect(hideKinds(graph, ["deployment"]).nodes.map(({ name }) => name)).not.toContain("p/deployment/d");
  });
  it("never hide the thing in the middle", () => {
    expect(hideKinds(graph, ["model"]).nodes.map(({ name }) => name)).toEqual(["p/data/d@a", "p/job/r/train", "p/run/1", "p/model/m/1", "p/deployment/d"]);
  });
  it("end in circles too", () => {
    const circle: Lineage = { center: "p/run/1", nodes: [node("run/1", 0), node("job/a", 1), node("job/b", 2)], edges: [edge("run/1", "job/a"), edge("job/a", "job/b"), edge("job/b", "job/a"), edge("job/b", "run/1")], truncated: false };
    expect(hideKinds(circle, ["job"])).toMatchObject({ nodes: [{ name: "p/run/1" }], edges: [] });
  });
  it("are counted without the thing in the middle", () => {
    expect(countKinds(graph).map(({ kind, count }) => `${kind} ${count}`)).toEqual(["data 1", "deployment 1", "job 1", "model 1", "run 1"]);
  });
});

describe("what lineage begins from", () => {
  it("may be a whole name, one without its project, or an id", () => {
    expect(namesIn("p", "deployment/scorer")).toEqual(["p/deployment/scorer"]);
    expect(namesIn("p", "p/model/m/3")).toEqual(["p/model/m/3"]);
    expect(namesIn("p", "0".repeat(32))).toEqual(["run", "pipeline-run", "prediction"].map((kind) => `p/${kind}/${"0".repeat(32)}`));
    for (const text of ["", "scorer", "deployment/", "colour/red", "q/run/1"]) expect(namesIn("p", text)).toEqual([]);
  });
  it("is the newest version of a model and its champion", () => {
    const version = (number: string) => ({ version: number }) as never;
    expect(versionsOf({ latest_versions: [version("9"), version("10")], aliases: [{ alias: "champion", version: "2" }] })).toEqual(["10", "2"]);
    expect(versionsOf({ latest_versions: [version("1")], aliases: [{ alias: "champion", version: "1" }] })).toEqual(["1"]);
    expect(versionsOf({ latest_versions: [], aliases: [] })).toEqual([]);
  });
});

describe("titles", () => {
  const known = new Map([["01a2", "train #2"], ["01b3", "nightly #7"], ["01c4", ""]]);
  const edges = [
    { from: "p/job/01b3/train", to: "p/logged-model/m-1", kind: "logged", at_ms: 0 },
    { from: "p/run/01a2", to: "p/logged-model/m-1", kind: "logged", at_ms: 0 },
    { from: "p/run/gone", to: "p/logged-model/m-2", kind: "logged", at_ms: 0 },
  ];
  test.each([
    ["p/run/01a2", "train #2"],
    ["p/pipeline-run/01b3", "nightly #7"],
    ["p/logged-model/m-1", "train #2"],
    ["p/logged-model/m-2", "m-2"],
    ["p/run/01c4", "01c4"],
    ["p/model/scorer/7", "scorer v7"],
  ])("%s is called %s", (name, title) => expect(titleOf(name, known, edges)).toBe(title));
});

test("what is shown of a lineage is asked for again when something is connected with it, whatever the event is", () => {
  const event = (from: string, to: string) => ({ edges: [{ from: `p/${from}`, kind: "read", to: `p/${to}` }] });
  const shown = { nodes: [{ name: "p/model/m/1", kind: "model", label: "m v1", depth: 0 }, { name: "p/run/1", kind: "run", label: "1", depth: -1 }] };
  expect(touches(event("model/m/1", "run/2"), "p/model/m/1")).toBe(true);
  expect(touches(event("data/d@a", "run/1"), "p/model/m/1", shown)).toBe(true);
  expect(touches(event("data/d@a", "run/1"), "p/model/m/1")).toBe(false);
  expect(touches(event("data/d@a", "run/3"), "p/model/m/1", shown)).toBe(false);
  expect(touches({ edges: [] }, "p/model/m/1", shown)).toBe(false);
});
