import { describe, expect, it, test } from "vitest";
import type { DeployedVersion, TrafficStatistics } from "../../src/api/native";
import { pageOf, labelOf } from "../../src/components/names";
import { modelOf } from "../../src/features/deployments/model-choice";
import { phraseOf } from "../../src/features/deployments/phrases";
import { curlLines, exampleBody, findFault, pythonLines, tidy, tritonLines } from "../../src/features/deployments/requests";
import { compareCanary, formatMs, formatRate, formatShare, rateUnit, recentTraffic, shareOf } from "../../src/features/deployments/roles";
import { neighboursOf } from "../../src/features/lineage/neighbours";

const counted = (requests: number, errors = 0, ms?: number): TrafficStatistics => ({ requests, errors, seconds: 10, ...(ms === undefined ? {} : { p50_ms: ms, p95_ms: 2 * ms, p99_ms: 3 * ms }) });
const deployed = (role: DeployedVersion["role"], version: number, weight: number, recent?: TrafficStatistics): DeployedVersion => ({
  model: "churn", version, role, weight, state: "ready", created_at_ms: 0, updated_at_ms: 0,
  ...(recent ? { statistics: { total: recent, recent, since_canary: recent, compared: 0, different: 0, process_ids: [] } } : {}),
});

describe("traffic", () => {
  const primary = deployed("primary", 1, 100, counted(90, 1, 4));
  const canary = deployed("canary", 2, 25, counted(30, 2, 6));
  const shadow = deployed("shadow", 3, 0, counted(120));
  it("gives the primary what the canary leaves, and a shadow nothing", () => {
    const deployment = { versions: [primary, canary, shadow] };
    expect(deployment.versions.map((version) => shareOf(deployment, version))).toEqual([75, 25, 0]);
    expect(shareOf({ versions: [primary] }, primary)).toBe(100);
  });
  it("counts what callers heard, without the shadow", () => {
    expect(recentTraffic({ versions: [primary, canary, shadow] })).toEqual({ perSecond: 12, requests: 120, errors: 3 });
    expect(recentTraffic({ versions: [deployed("primary", 1, 100)] })).toBeUndefined();
  });
  it("compares the canary with the primary, and says nothing where nothing was asked", () => {
    const rows = compareCanary(primary.statistics!.recent, canary.statistics!.recent);
    expect(rows.find(({ measure }) => measure === "p95")).toEqual({ measure: "p95", kind: "ms", primary: 8, canary: 12, ratio: 1.5 });
    expect(rows.find(({ measure }) => measure === "Errors")).toMatchObject({ primary: 1 / 90, canary: 2 / 30 });
    expect(compareCanary(counted(0), undefined).map(({ canary: value }) => value)).toEqual([undefined, undefined, undefined, undefined, undefined]);
    expect(compareCanary(counted(0), counted(0)).find(({ measure }) => measure === "Errors")).toMatchObject({ primary: undefined, canary: undefined });
  });
  it("never rounds an error to none", () => {
    expect([0, 0.0001, 0.021, 0.5, undefined].map((share) => formatShare(share))).toEqual(["0 %", "< 0.1 %", "2.1 %", "50 %", "–"]);
    expect([0.9996, 0.996, 0.98, 1].map((share) => formatShare(share))).toEqual(["> 99.9 %", "99.6 %", "98 %", "100 %"]);
    expect([0.0002, 0.9996, 0.3].map((share) => formatShare(share, 4))).toEqual(["0.02 %", "99.96 %", "30 %"]);
    expect([0, 4.26, 42.6, 1234, undefined].map((ms) => formatMs(ms))).toEqual(["0 ms", "4.3 ms", "43 ms", "1,234 ms", "–"]);
    expect([0.126, 0.0421, 0.0004].map((ms) => formatMs(ms))).toEqual(["0.13 ms", "42 µs", "0.4 µs"]);
    expect([1.25, 0.125, 1000].map((ms) => formatMs(ms, 3))).toEqual(["1.25 ms", "0.125 ms", "1,000 ms"]);
    expect([0, 40, 0.5, 0.002, 1e-6].map((rate) => rateUnit(rate).word)).toEqual(["second", "second", "minute", "hour", "day"]);
    expect([0, 0.001, 2.5, 52.34, 1042].map((rate) => formatRate(rate))).toEqual(["0", "< 0.01", "2.50", "52.3", "1042"]);
    expect(formatRate(0.00123, 3)).toBe("0.00123");
  });
});

describe("requests", () => {
  const inputs = [{ name: "age", type: "double", required: true }, { name: "city", type: "string", required: true }, { name: "member", type: "boolean", required: true }];
  it("keep numbers as they are written", () => {
    const text = '{"inputs": [[47.0, 9223372036854775807], [1e-3, -0]], "params": {}, "words": ["a, \\"b\\" [c]"]}';
    expect(JSON.parse(tidy(text))).toEqual(JSON.parse(text));
    expect(tidy(text)).toContain("    [47.0, 9223372036854775807],\n    [1e-3, -0]");
    expect(tidy("no json")).toBe("no json");
    expect(tidy("[]")).toBe("[]");
  });
  it("come from the logged example, else from the signature", () => {
    expect(exampleBody({ inputs }, '{"inputs": [1.0]}')).toBe('{\n  "inputs": [1.0]\n}');
    expect(JSON.parse(exampleBody({ inputs }, undefined))).toEqual({ dataframe_split: { columns: ["age", "city", "member"], data: [[0.5, "", false]] } });
    expect(JSON.parse(exampleBody({ inputs: [{ name: "#0", type: "float64 (-1, 3)", required: true }] }, undefined))).toEqual({ inputs: [[0, 0, 0]] });
    expect(JSON.parse(exampleBody(undefined, undefined))).toEqual({ inputs: [[0]] });
  });
  it("are checked before they are sent", () => {
    expect(findFault('{"inputs": []}')).toBeUndefined();
    expect(findFault("[1]")).toMatch(/must be a JSON object/);
    expect(findFault("{")).toMatch(/no JSON/);
  });
  it("become lines for clients, with a token where people sign in", () => {
    expect(curlLines("http://h/x", '{"inputs": ["it\'s"]}', false)).toBe(`curl http://h/x \\\n  -H 'content-type: application/json' \\\n  -d '{"inputs": ["it'\\''s"]}'`);
    expect(curlLines("http://h/x", "{}", true)).toContain("$LATHE_TOKEN");
    expect(pythonLines("http://h/x", "{}", true)).toContain("os.environ['LATHE_TOKEN']");
    expect(pythonLines("http://h/x", "{}", false)).not.toContain("import os");
    const triton = tritonLines("h:80", "scorer", inputs);
    expect(triton).toContain('("age", "FP64", np.zeros([1, 1], dtype=np.float64)),');
    expect(triton).toContain('("member", "BOOL", np.zeros([1, 1], dtype=np.bool_)),');
    expect(triton).toContain('("city", "BYTES"');
    expect(tritonLines("h:80", "d", [{ name: "x", type: "float32 (-1, 8)", required: true }])).toContain("np.zeros([1, 8], dtype=np.float32)");
  });
});

test("a model's name is read from its URI, slashes and all", () => {
  expect(["models:/a/3", "models:/a@champion", "models:/team/a/3", "a", ""].map(modelOf)).toEqual(["a", "a", "team/a", "", ""]);
});

test("what happened to a deployment is said in words", () => {
  expect(phraseOf({ action: "deployment.promoted", detail: { model: "churn", version: 2, weight: 100, previous_version: 1 } })).toBe("churn v2 was promoted, in place of v1");
  expect(phraseOf({ action: "deployment.rolled_back", detail: { model: "churn", version: 1, ended_canary: 2 } })).toBe("The canary v2 was ended");
  expect(phraseOf({ action: "alert.raised", detail: { rule: "slow", value: 300, threshold: 250 } })).toBe("Alert slow: 300, the limit is 250");
  expect(phraseOf({ action: "alert.raised", detail: { rule: "slow", metric: "p95_latency_ms", value: 300, threshold: 250 } })).toBe("Alert slow: 300 ms, the limit is 250 ms");
  expect(phraseOf({ action: "alert.raised", detail: { rule: "errors", metric: "error_rate", value: 0.0512, threshold: 0.01 } })).toBe("Alert errors: 5.12 %, the limit is 1 %");
  expect(phraseOf({ action: "alert.raised", detail: { rule: "errors", metric: "error_rate", value: 0.0512345, threshold: 0.0512341 } })).toBe("Alert errors: 5.123 %, the limit is 5.12341 %");
  expect(phraseOf({ action: "monitoring.reference_set", detail: { source: "window 1795647600000" } })).toMatch(/^The reference became the window of \d{4}-\d\d-\d\d \d\d:\d\d$/);
  expect(phraseOf({ action: "monitoring.reference_set", detail: { source: "data flights@0123456789abcdef" } })).toBe("The reference became data flights@01234567");
  expect(phraseOf({ action: "deployment.something_new", detail: null })).toBe("Something new");
});

test("neighbours stand nearest first, logged models after what they belong to", () => {
  const node = (name: string, kind: string, depth: number) => ({ name, kind, depth, label: name });
  const { up, down } = neighboursOf({
    center: "p/deployment/d",
    nodes: [node("p/deployment/d", "deployment", 0), node("p/logged-model/m", "logged-model", -2), node("p/run/r", "run", -2), node("p/model/m/1", "model", -1), node("p/window/d/1", "window", 1)],
  });
  expect(up.map(({ name, steps }) => `${name} ${steps}`)).toEqual(["p/model/m/1 1", "p/run/r 2", "p/logged-model/m 2"]);
  expect(down.map(({ name }) => name)).toEqual(["p/window/d/1"]);
});

test("things of pipelines, serving and monitoring have pages and labels", () => {
  expect(pageOf("p/pipeline-run/01ab")).toBe("/p/p/pipeline-runs/01ab");
  expect(pageOf("p/job/01ab/train[0]")).toBe("/p/p/pipeline-runs/01ab?job=train%5B0%5D");
  expect(pageOf("p/deployment/scorer")).toBe("/p/p/deployments/scorer");
  expect(pageOf("p/window/scorer/1700000000000")).toBe("/p/p/deployments/scorer?tab=drift&window=1700000000000");
  expect([pageOf("p/prediction/01ab"), pageOf("p/code/r@c")]).toEqual([undefined, undefined]);
  expect(labelOf("p/job/01ab/train[0]")).toBe("train[0]");
  expect(labelOf("p/code/app@0123456789")).toBe("app@01234567");
  expect(labelOf("p/window/scorer/1700000000000")).toMatch(/^scorer 2023-11-1\d \d\d:\d\d$/);
});
