import { describe, expect, it, test } from "vitest";
import type { Alert, AlertRule, ColumnDrift, Drift, LedgerEvent } from "../../src/api/native";
import { allowedWords, conditionOf, draftCondition, lengthWords, ruleOf, tabOf, valueWords, type RuleDraft } from "../../src/features/monitoring/rules";
import { changeOf, draftOf, settingsOf } from "../../src/features/monitoring/settings";
import { driftView } from "../../src/features/monitoring/view";
import { aroundQuery, goneWords, windowsQuery } from "../../src/features/monitoring/windows";
import { keepOf } from "../../src/app/keep-of";
import { readView } from "../../src/app/url-state";
import { alertSpans, arrivedLabels, changeMarks, driftLines, errorCounts, linesByVersion, measuresOf, mostDrifted, ruleThresholds, withGaps, type VersionWindow } from "../../src/features/monitoring/series";

const hour = 3_600_000;
const at = (hours: number, version: number, variant: VersionWindow["variant"], value = 1) => ({ start_ms: hours * hour, length_ms: hour, version, variant, value });

describe("lines", () => {
  it("stand for a version in a role, the primary first", () => {
    const lines = linesByVersion([at(0, 1, "primary"), at(0, 2, "canary", 5), at(1, 1, "primary", 2), at(1, 2, "primary", 3)], ({ value }) => value);
    expect(lines.map(({ label, values }) => [label, values])).toEqual([["v2 (primary)", [3]], ["v1 (primary)", [1, 2]], ["v2 (canary)", [5]]]);
    expect(new Set(lines.map(({ color }) => color)).size).toBe(3);
  });
  it("have a gap where a window is missing", () => {
    const [line] = linesByVersion([at(0, 1, "primary"), at(3, 1, "primary"), at(4, 1, "primary")], ({ value }) => value);
    expect(line!.timesMs).toEqual([0, hour, 3 * hour, 4 * hour]);
    expect(line!.values).toEqual([1, null, 1, 1]);
    expect(withGaps([])).toEqual([]);
  });
  it("have a band where one is read", () => {
    const [line] = linesByVersion([at(0, 1, "primary")], ({ value }) => value, () => [undefined, 9]);
    expect([line!.lower, line!.upper]).toEqual([[null], [9]]);
  });
});

const column = (name: string, psi: number | undefined, part = "input"): ColumnDrift => ({
  part, name, kind: "number", problems: [], bins: [], tests: psi === undefined ? [] : [{ test: "psi", value: psi, threshold: 0.2, is_drifted: psi >= 0.2, decides: false }],
});

describe("drift", () => {
  const drift: Drift = { windows: [{ start_ms: 0, length_ms: hour, rows: 10, columns: [column("a", 0.1), column("b", 0.4)] }, { start_ms: hour, length_ms: hour, rows: 10, columns: [column("a", 0.3), column("b", undefined), column("a", 0.9, "output")] }] };
  it("draws a column of one part, with nothing where nothing was measured", () => {
    expect(driftLines(drift, "input", ["b"])[0]!.values).toEqual([0.4, null]);
    expect(driftLines(drift, "output", ["a"])[0]!.values).toEqual([null, 0.9]);
  });
  it("names what drifted most", () => {
    expect(mostDrifted(drift.windows[1]!.columns, "input", 5)).toEqual(["a", "b"]);
    expect(mostDrifted(drift.windows[0]!.columns, "input", 1)).toEqual(["b"]);
  });
});

const rule = (over: Partial<AlertRule>): AlertRule => ({ id: "1", name: "r", metric: "psi", threshold: 0.2, severity: "warning", min_rows: 1, cool_down_ms: 0, created_at_ms: 0, ...over });

test("rules and alerts are drawn into the chart of their metric", () => {
  expect(ruleThresholds([rule({}), rule({ metric: "rows" }), rule({ name: "c", severity: "critical" })], ({ metric }) => metric === "psi")).toEqual([
    { value: 0.2, label: "r", severity: "warning", raised: "from" },
    { value: 0.2, label: "c", severity: "critical", raised: "from" },
  ]);
  const alert = (over: Partial<Alert>): Alert => ({ id: "1", deployment: "d", rule: "r", severity: "warning", window_start_ms: hour, value: 1, threshold: 0.2, raised_at_ms: 9 * hour, ...over });
  expect(alertSpans([alert({}), alert({ resolved_at_ms: 99 * hour }), alert({ resolved_at_ms: 99 * hour, resolved_window_start_ms: 7 * hour }), alert({ resolved_at_ms: 99 * hour, resolved_window_start_ms: hour }), alert({ rule: "other" })], hour, (name) => name === "r")).toEqual([
    { fromMs: hour, label: "alert r" },
    { fromMs: hour, toMs: 2 * hour, label: "alert r" },
    { fromMs: hour, toMs: 7 * hour, label: "alert r" },
    { fromMs: hour, toMs: 2 * hour, label: "alert r" },
  ]);
});

test("changes of versions are marked in the time that is shown", () => {
  const event = (action: string, at_ms: number) => ({ action, at_ms, detail: { version: 2 } }) as unknown as LedgerEvent;
  expect(changeMarks([event("deployment.promoted", 5), event("deployment.canary_started", 4), event("deployment.promoted", 50), event("deployment.created", 5), event("deployment.rolled_back", 11)], [{ start_ms: 1, length_ms: 9 }, { start_ms: 10, length_ms: 9 }])).toEqual([{ atMs: 5, label: "v2 promoted" }, { atMs: 4, label: "canary v2" }, { atMs: 10, label: "rolled back" }]);
  expect(changeMarks([event("deployment.promoted", 5)], [])).toEqual([]);
});

test("errors, labels and measures are summed up", () => {
  expect(errorCounts([{ errors: { unavailable: 1 } }, { errors: { invalid_argument: 3, unavailable: 1 } }])).toEqual([["invalid_argument", 3], ["unavailable", 2]]);
  expect(arrivedLabels([{ rows: 10, labelled: 4 }, { rows: 5, labelled: 0 }])).toEqual({ rows: 15, labelled: 4 });
  expect(measuresOf([{ measures: { zeta: 1, recall: 1 } }, { measures: { accuracy: 1 } }])).toEqual(["accuracy", "recall", "zeta"]);
});

describe("windows", () => {
  const view = (search: Record<string, string>) => readView(driftView, search);
  it("are the latest ones, or those of a span", () => {
    expect(windowsQuery(view({ n: "12", v: "3" }))).toEqual({ windows: 12, version: 3 });
    expect(windowsQuery(view({ n: "12", from: "1970-01-01T01:00Z" }))).toEqual({ windows: 200, from_ms: hour });
    expect(windowsQuery(view({ to: "1970-01-01T02:00Z", v: "x" }))).toEqual({ windows: 200, to_ms: 2 * hour });
  });
  it("stand around the one that is looked at", () => {
    expect(aroundQuery(view({ n: "12", v: "3", from: "1970-01-01T01:00Z" }), 100 * hour, hour)).toEqual({ windows: 12, to_ms: 106 * hour, version: 3 });
    expect(aroundQuery(view({ n: "1" }), 100 * hour, hour)).toEqual({ windows: 1, to_ms: 101 * hour });
    expect(goneWords(0, undefined)).toMatch(/^The window of 1970-01-01.* is no longer kept\./);
  });
});

test("an answer stands only until the next one about the same thing", () => {
  expect(keepOf(["runs", "a"])(1, { queryKey: ["runs", "a", "page 2"] })).toBe(1);
  expect(keepOf(["runs", "b"])(1, { queryKey: ["runs", "a", "page 2"] })).toBeUndefined();
  expect(keepOf(["runs", "b"])(1, undefined)).toBeUndefined();
});

describe("rules", () => {
  const draft: RuleDraft = { name: " n ", metric: "psi", column: "age", measure: "accuracy", threshold: "0.25", severity: "critical", minRows: "30", coolDownMinutes: "1.5" };
  it("are said in words", () => {
    expect(conditionOf(rule({ metric: "quality", measure: "log_loss", threshold: 1 }))).toBe("log loss above 1");
    expect(conditionOf(rule({ metric: "quality", measure: "f1", threshold: 0.7 }))).toBe("f1 below 0.7");
    expect(conditionOf(rule({ column: "age" }))).toBe("PSI of age from 0.2 on");
    expect(conditionOf(rule({ metric: "ks_p_value", column: "age", threshold: 0.05 }))).toBe("Kolmogorov-Smirnov of age: p below 0.05");
    expect(conditionOf(rule({ metric: "missing_share", column: "age", threshold: 0.1 }))).toBe("share of missing values in age above 10 %");
    expect(conditionOf(rule({ metric: "p95_latency_ms", threshold: 200 }))).toBe("p95 above 200 ms");
    expect(conditionOf(rule({ metric: "rows", threshold: 5 }))).toBe("fewer than 5 rows");
    expect(draftCondition({ ...draft, metric: "drift_share", threshold: "0.3" })).toBe("share of drifted inputs from 30 % on");
    expect(draftCondition({ ...draft, threshold: "" })).toBeUndefined();
    expect(["quality", "psi", "rows", undefined].map((metric) => tabOf(metric as AlertRule["metric"]))).toEqual(["quality", "drift", "traffic", "drift"]);
    expect([90 * 24 * hour, hour, 90_000, 1500].map(lengthWords)).toEqual(["90 days", "1 hour", "90 seconds", "1.5 s"]);
  });
  it("tell what was seen and what is allowed with units and direction", () => {
    expect([valueWords("error_rate", 0.05123), valueWords("p95_latency_ms", 211.37), valueWords("rows", 1), valueWords("psi", 0.31234), valueWords(undefined, 0.5)]).toEqual(["5.123 %", "211.4 ms", "1 row", "0.3123", "0.5"]);
    expect(allowedWords(rule({}), 0.2)).toBe("below 0.2");
    expect(allowedWords(rule({ metric: "error_rate" }), 0.01)).toBe("at most 1 %");
    expect(allowedWords(rule({ metric: "quality", measure: "f1" }), 0.8)).toBe("at least 0.8");
    expect(allowedWords(undefined, 0.8)).toBe("0.8");
  });
  it("round what was measured, and neither a count nor what was set", () => {
    expect(conditionOf(rule({ metric: "quality", measure: "f1", threshold: 0.95123 }))).toBe("f1 below 0.95123");
    expect(conditionOf(rule({ metric: "rows", threshold: 12345 }))).toBe("fewer than 12,345 rows");
    expect(conditionOf(rule({ metric: "schema_changes", threshold: 0 }))).toBe("more than 0 inputs missing, new or of another kind");
    expect(allowedWords(rule({ metric: "error_rate" }), 0.95123)).toBe("at most 95.123 %");
    expect(allowedWords(rule({ metric: "p95_latency_ms" }), 12345)).toBe("at most 12,345 ms");
    expect(allowedWords(undefined, 12345.5)).toBe("12,345.5");
    expect([valueWords("rows", 12345), valueWords(undefined, 12345), valueWords("psi", 0.95123), valueWords("error_rate", 0.95123), valueWords("p95_latency_ms", 12345.6)]).toEqual(["12,345 rows", "12,345", "0.9512", "95.12 %", "12,350 ms"]);
  });
  it("are sent when all is there, and only what their metric takes", () => {
    expect(ruleOf(draft)).toEqual({ name: "n", metric: "psi", column: "age", threshold: 0.25, severity: "critical", min_rows: 30, cool_down_ms: 90_000 });
    expect(ruleOf({ ...draft, metric: "quality" })).toMatchObject({ measure: "accuracy" });
    expect(ruleOf({ ...draft, metric: "new_category_share" })).toMatchObject({ column: "age" });
    expect(ruleOf({ ...draft, metric: "prediction_drift_share" })).not.toHaveProperty("column");
    for (const wrong of [{ name: " " }, { threshold: "" }, { threshold: "x" }, { column: "" }, { minRows: "1.5" }, { coolDownMinutes: "-1" }]) expect(ruleOf({ ...draft, ...wrong })).toBeUndefined();
  });
});

describe("settings", () => {
  const settings = { window_ms: 7 * 24 * hour, sample_share: 0.07, retention_ms: 90 * 24 * hour, allows_replay: true };
  it("come back from the form as they were", () => {
    expect(draftOf(settings)).toMatchObject({ windowMinutes: "10080", samplePercent: "7", retentionDays: "90", task: "", scoreColumn: "" });
    const left = { task: null, prediction_column: null, score_column: null, positive_label: null };
    expect(settingsOf(draftOf(settings))).toEqual({ ...settings, ...left });
    const all = { ...settings, task: "classification" as const, prediction_column: "a", score_column: "b", positive_label: "c" };
    expect(settingsOf(draftOf(all))).toEqual(all);
  });
  it("are sent as far as they differ from the form as it was opened", () => {
    const opened = draftOf({ ...settings, score_column: "p", task: "classification" });
    expect(changeOf(opened, { ...opened, samplePercent: "50" })).toEqual({ sample_share: 0.5 });
    expect(changeOf(opened, { ...opened, scoreColumn: " ", task: "", allowsReplay: false })).toEqual({ score_column: null, task: null, allows_replay: false });
    expect(changeOf(opened, { ...opened, samplePercent: "7.0", scoreColumn: "p " })).toBeUndefined();
    expect(changeOf(opened, { ...opened, samplePercent: "50", retentionDays: "" })).toBeUndefined();
  });
  it("are sent when all numbers are there", () => {
    const draft = draftOf(settings);
    expect(settingsOf({ ...draft, windowMinutes: "0.5", positiveLabel: " yes " })).toMatchObject({ window_ms: 30_000, positive_label: "yes" });
    for (const wrong of [{ windowMinutes: "" }, { windowMinutes: "0" }, { samplePercent: "101" }, { samplePercent: "x" }, { retentionDays: "-1" }, { retentionDays: "Infinity" }]) expect(settingsOf({ ...draft, ...wrong })).toBeUndefined();
  });
});
