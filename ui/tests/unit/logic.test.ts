import { afterEach, describe, expect, test, vi } from "vitest";
import { errorFrom, projectPath, withQuery } from "../../src/api/http";
import { readRun } from "../../src/api/mlflow";
import { formatBytes, formatDelta, formatDuration, formatMoment, formatNumber, formatUntil, plural } from "../../src/components/format";
import { bestValue, metricDirection } from "../../src/components/metric-direction";
import { calledIn, labelOf, pageOf } from "../../src/components/names";
import { compareKeys, sameValue } from "../../src/features/compare/diff";
import { parseMlModel } from "../../src/features/models/mlmodel";
import { findSeparator, parseCsv } from "../../src/features/run/csv";

describe("api", () => {
  test("the default project has no prefix", () => {
    expect(projectPath("default", "/api/v1/home")).toBe("/api/v1/home");
    expect(projectPath("fraud team", "/api/v1/home")).toBe("/p/fraud%20team/api/v1/home");
  });
  test("absent query values are left out", () => {
    expect(withQuery("/x", { a: undefined, b: "", c: 0, d: "a b" })).toBe("/x?c=0&d=a+b");
  });
  test("both error dialects are read", () => {
    expect(errorFrom(404, { code: "not_found", message: "m", hint: "h", request_id: "r" })).toMatchObject({ code: "not_found", hint: "h", requestId: "r" });
    expect(errorFrom(400, { error_code: "INVALID_PARAMETER_VALUE", message: "m" })).toMatchObject({ code: "INVALID_PARAMETER_VALUE", message: "m" });
  });
  test("a run without lists is read with empty ones", () => {
    const run = readRun({ info: { run_uuid: "a", start_time: "12" }, data: {}, inputs: {} });
    expect(run).toMatchObject({ metrics: [], params: [], tags: [], datasets: [], modelOutputs: [] });
    expect(run.info).toMatchObject({ run_id: "a", start_time: 12, end_time: undefined, status: "RUNNING" });
  });
});

describe("format", () => {
  afterEach(() => void vi.unstubAllEnvs());
  test.each([
    [0, "0"], [0.123456789, "0.12346"], [-0.5, "−0.5"], [1234567, "1,234,567"], [1e-7, "1.000e−7"], [12345.678, "12346"],
    [Number.NaN, "NaN"], [-Infinity, "−∞"], [2.5e12, "2.500e12"],
  ])("number %s is %s", (value, text) => expect(formatNumber(value)).toBe(text));
  test("deltas keep their sign", () => {
    expect(formatDelta(0.01)).toBe("+0.01");
    expect(formatDelta(-2)).toBe("−2");
    expect(formatDelta(0)).toBe("±0");
  });
  test.each([[340, "340 ms"], [4200, "4.2 s"], [61_000, "1 m 01 s"], [7_260_000, "2 h 01 m"], [200_000_000, "55 h 33 m".replace("55 h 33 m", "2 d 07 h")]])(
    "%i ms is %s", (ms, text) => expect(formatDuration(ms)).toBe(text));
  test.each([[-5, "now"], [900, "in 1 s"], [61_000, "in 1 min"], [7_260_000, "in 2 h"], [200_000_000, "in 2 d"]])("%i ms from now is %s", (ms, text) => expect(formatUntil(1_000_000 + ms, 1_000_000)).toBe(text));
  test.each([["UTC", 0], ["Europe/Berlin", -60], ["America/New_York", 300]])("a moment of any year is written as a field in %s has it", (zone, offset) => {
    // Early years are before the time zones: their offsets are no whole minutes.
    vi.stubEnv("TZ", zone);
    expect(new Date(0).getTimezoneOffset()).toBe(offset);
    for (const text of ["0002-11-23T09:41", "0202-01-01T00:00", "2026-07-23T23:59"]) expect(formatMoment(new Date(text).getTime())).toBe(text);
  });
  test("bytes and plurals", () => {
    expect([0, 999, 1000, 15_300, 999_600, 2_400_000_000].map(formatBytes)).toEqual(["0 B", "999 B", "1.0 kB", "15 kB", "1.0 MB", "2.4 GB"]);
    expect(plural(1, "run")).toBe("1 run");
    expect(plural(1200, "run")).toBe("1,200 runs");
  });
});

describe("names", () => {
  test("pages of things", () => {
    expect(pageOf("fraud/run/ab")).toBe("/p/fraud/runs/ab");
    expect(pageOf("fraud/model/scorer/7")).toBe("/p/fraud/models/scorer/versions/7");
    expect(pageOf("fraud/model/scorer")).toBe("/p/fraud/models/scorer");
    expect(pageOf("fraud/dataset/a@1")).toBeUndefined();
  });
  test("labels", () => {
    expect(labelOf("fraud/logged-model/m-01a217bdc71d76ef872d578f88672b7b")).toBe("88672b7b");
    expect(labelOf("fraud/run/01a217bdc71d76ef872d578f88672b7b")).toBe("88672b7b");
    expect(labelOf("fraud/model/scorer/7")).toBe("scorer v7");
    expect(labelOf("fraud/dataset/a@0123456789")).toBe("a@01234567");
  });
});

describe("metric direction", () => {
  test.each([["val_loss", "min"], ["train/rmse", "min"], ["accuracy", "max"], ["val/f1_score", "max"], ["precision@5", "max"], ["lr", undefined], ["glossary", undefined]])(
    "%s", (key, direction) => expect(metricDirection(key)).toBe(direction));
  test("the best value needs a rival", () => {
    expect(bestValue("loss", [0.4, undefined, 0.2, Number.NaN])).toBe(0.2);
    expect(bestValue("loss", [0.4, undefined])).toBeUndefined();
    expect(bestValue("lr", [1, 2])).toBeUndefined();
  });
  test("a tie has no winner, but two may share the best value", () => {
    expect(bestValue("loss", [0.2, 0.2])).toBeUndefined();
    expect(bestValue("loss", [0.2, 0.4, 0.2, undefined])).toBe(0.2);
    expect(bestValue("accuracy", [0.2, 0.4])).toBe(0.4);
  });
});

describe("compare", () => {
  test("numbers are compared as numbers", () => {
    expect(sameValue("0.10", "1e-1")).toBe(true);
    expect(sameValue("adam", "Adam")).toBe(false);
    expect(sameValue(undefined, "")).toBe(false);
    expect(sameValue("NaN", "NaN")).toBe(true);
  });
  test("an absent value is a difference", () => {
    const rows = compareKeys([new Map([["lr", "1"], ["a", "x"]]), new Map([["lr", "1.0"]])]);
    expect(rows).toEqual([
      { key: "a", values: ["x", undefined], differs: true },
      { key: "lr", values: ["1", "1.0"], differs: false },
    ]);
  });
});

describe("csv", () => {
  test("quotes, doubled quotes and line breaks", () => {
    expect(parseCsv('a,b\r\n"x, y","say ""hi""\nthere"\n1,2\n', 10)).toEqual({
      header: ["a", "b"], rows: [["x, y", 'say "hi"\nthere'], ["1", "2"]], truncated: false,
    });
  });
  test("stops and says so", () => {
    const preview = parseCsv("a\n1\n2\n3\n4", 2);
    expect(preview.rows).toEqual([["1"], ["2"]]);
    expect(preview.truncated).toBe(true);
    expect(parseCsv("a\n1\n2", 2).truncated).toBe(false);
  });
  test("finds the separator", () => expect(["a\tb", "a;b;c", "x"].map(findSeparator)).toEqual(["\t", ";", ","]));
  test("an empty file is empty", () => expect(parseCsv("", 5)).toEqual({ header: [], rows: [], truncated: false }));
});

test("an MLmodel file gives flavors and a folded signature", () => {
  const model = parseMlModel(`artifact_path: model
flavors:
  python_function:
    env: conda.yaml
    python_version: 3.11.2
  sklearn:
    code: null
mlflow_version: 3.17.2
model_size_bytes: 1200
signature:
  inputs: '[{"type": "double", "name": "it''s", "required":
    true}, {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 64]}}]'
  outputs: '[{"type": "long", "required": false}]'
  params: null
`);
  expect(model.flavors).toEqual(["python_function", "sklearn"]);
  expect(model).toMatchObject({ mlflowVersion: "3.17.2", pythonVersion: "3.11.2", sizeBytes: 1200 });
  expect(model.inputs).toEqual([
    { name: "it's", type: "double", required: true },
    { name: "#1", type: "float64 (-1, 64)", required: true },
  ]);
  expect(model.outputs).toEqual([{ name: "#0", type: "long", required: false }]);
});

test.each([
  [{ subject: "p/pipeline-run/01a2", detail: { pipeline: "nightly", number: 7 } }, "nightly #7"],
  [{ subject: "p/run/01a2", detail: { run_name: "train #7", pipeline: "nightly", number: 7 } }, "train #7"],
  [{ subject: "p/job/01a2/train", detail: { pipeline: "nightly", number: 7 } }, undefined],
  [{ subject: "p/run/01a2", detail: null }, undefined],
])("%j calls its subject %s", (event, name) => expect(calledIn(event)).toBe(name));
