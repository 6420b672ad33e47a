import { describe, expect, test } from "vitest";
import { readRun, type Metric } from "../../src/api/mlflow";
import type { Series } from "../../src/api/native";
import { fromMlflowLink } from "../../src/app/mlflow-links";
import { groupMetrics, matcher } from "../../src/charts/metric-groups";
import { artifactKind, foldersAround, isBinary, nameOf } from "../../src/features/run/artifact-kind";
import { extendSeries, mergeLatest } from "../../src/features/run/live";
import { loadModelSnippet, modelFolders, paramsSnippet, pythonValue, reproduceSnippet } from "../../src/features/run/snippets";

const runWith = (tags: Record<string, string>, params: Record<string, string> = {}) => {
  const pairs = (record: Record<string, string>) => Object.entries(record).map(([key, value]) => ({ key, value }));
  return readRun({ info: { run_id: "ab" }, data: { tags: pairs(tags), params: pairs(params) } });
};

describe("live", () => {
  const loss: Metric = { key: "loss", value: 0.5, step: 10, timestamp: 100 };

  test("the latest value is that of the highest step, whatever came last", () => {
    const merged = mergeLatest([loss], [
      { key: "loss", step: 12, timestamp: 120, value: 0.3 },
      { key: "loss", step: 11, timestamp: 130, value: 0.4 },
      { key: "acc", step: 0, timestamp: 130, value: "NaN" },
    ]);
    expect(merged).toEqual([{ key: "loss", value: 0.3, step: 12, timestamp: 120 }, { key: "acc", value: "NaN", step: 0, timestamp: 130 }]);
  });

  test("on one step the later time counts, and on one time the larger value", () => {
    expect(mergeLatest([loss], [{ key: "loss", step: 10, timestamp: 99, value: 0.9 }])).toEqual([loss]);
    expect(mergeLatest([loss], [{ key: "loss", step: 10, timestamp: 100, value: 0.4 }])).toEqual([loss]);
    expect(mergeLatest([loss], [{ key: "loss", step: 10, timestamp: 100, value: 0.6 }])[0]?.value).toBe(0.6);
  });

  const series: Series = { run_id: "ab", metric_key: "loss", points: 2, x: [0, 1], last: [1, 0.9] };
  const request = { project: "default", runIds: ["ab"], x: "step" as const, maxPoints: 2 };
  const point = { key: "loss", step: 2, timestamp: 5000, value: 0.8 };

  test("a chart takes new points on the axis it shows", () => {
    expect(extendSeries([series], "ab", request, [point])?.[0]).toMatchObject({ x: [0, 1, 2], last: [1, 0.9, 0.8], points: 3 });
    expect(extendSeries([{ ...series, x: [0, 1000] }], "ab", { ...request, x: "time" }, [point])?.[0]?.x).toEqual([0, 1000, 5000]);
  });

  test("a line that is new or too long is asked for again", () => {
    expect(extendSeries([], "ab", request, [point])).toBeUndefined();
    expect(extendSeries([{ ...series, x: [0, 1, 2, 3, 4], last: [1, 1, 1, 1, 1] }], "ab", request, [point])).toBeUndefined();
  });
});

describe("snippets", () => {
  test.each([["0.01", "0.01"], ["-3", "-3"], ["1e-4", "1e-4"], ["True", "True"], ["None", "None"], ["adam", '"adam"'], ["007", '"007"'], ["1.", '"1."'], ['a "b"', '"a \\"b\\""'], ["", '""']])(
    "param %s is %s in Python", (value, text) => expect(pythonValue(value)).toBe(text));

  test("params are a dictionary in order of their names", () => {
    expect(paramsSnippet(runWith({}, { solver: "adam", depth: "4" }))).toBe('params = {\n    "depth": 4,\n    "solver": "adam",\n}');
    expect(paramsSnippet(runWith({}))).toBe("params = {}");
  });

  test("a run without a commit cannot say how to reproduce it", () => expect(reproduceSnippet(runWith({}))).toBeUndefined());

  test("a commit, its repository and its script", () => {
    const run = runWith({ "mlflow.source.git.commit": "abc", "mlflow.source.git.repoURL": "git@host:a/b c.git", "mlflow.source.name": "train.py", "mlflow.source.type": "LOCAL" });
    expect(reproduceSnippet(run)).toBe("git clone 'git@host:a/b c.git' source && cd source\ngit checkout abc\npython train.py");
  });

  test("models that older clients kept among the files", () => {
    expect(modelFolders(runWith({ "mlflow.log-model.history": '[{"artifact_path":"model"},{"artifact_path":"model"},{"x":1}]' }))).toEqual(["model"]);
    expect(modelFolders(runWith({ "mlflow.log-model.history": "nonsense" }))).toEqual([]);
    expect(loadModelSnippet("models:/m-1")).toContain('load_model("models:/m-1")');
  });
});

describe("metric groups", () => {
  test("by what stands before the last slash, numbers in order, the machine's own last", () => {
    expect(groupMetrics(["system/cpu", "val/a/b", "loss", "w10", "w2", "val/f1"])).toEqual([
      { prefix: "", keys: ["loss", "w2", "w10"] },
      { prefix: "val", keys: ["val/f1"] },
      { prefix: "val/a", keys: ["val/a/b"] },
      { prefix: "system", keys: ["system/cpu"] },
    ]);
  });

  test("a search is a pattern, or plain text where it is none", () => {
    expect(["val_loss", "loss", "Loss_2"].filter(matcher("^loss"))).toEqual(["loss", "Loss_2"]);
    expect(["f(x)", "fx"].filter(matcher("f("))).toEqual(["f(x)"]);
    expect(["a"].filter(matcher(""))).toEqual(["a"]);
  });
});

describe("files", () => {
  test.each([["plots/a.PNG", "image"], ["a.json", "json"], ["a.tsv", "csv"], ["model/MLmodel", "text"], ["a.log", "text"], ["report.html", "page"], ["model.pkl", "unknown"], ["noext", "unknown"]])(
    "%s is shown as %s", (path, kind) => expect(artifactKind(path)).toBe(kind));

  test("folders around a file", () => {
    expect(foldersAround("a/b/c.txt")).toEqual(["a", "a/b"]);
    expect(foldersAround("c.txt")).toEqual([]);
    expect(nameOf("a/b/c.txt")).toBe("c.txt");
    expect(isBinary("a\0b")).toBe(true);
  });
});

test.each([
  ["#/experiments/1/runs/ab12", "/p/default/runs/ab12"],
  ["/experiments/7", "/p/default/runs?exp=7"],
  ["#/models/credit%20risk/versions/3", "/p/default/models/credit%20risk/versions/3"],
  ["#/models/scorer?x=1", "/p/default/models/scorer"],
  ["#content", undefined],
  ["", undefined],
])("MLflow's link %s opens %s", (fragment, href) => expect(fromMlflowLink("default", fragment)).toBe(href));
