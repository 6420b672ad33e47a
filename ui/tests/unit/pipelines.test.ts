import { describe, expect, it } from "vitest";
import type { Attempt, Job, JobStatus, PipelineJob, PipelineParam, PipelineRun } from "../../src/api/pipelines";
import { readView, writeView } from "../../src/app/url-state";
import { labelOf as nameLabel, pageOf } from "../../src/components/names";
import { makersOf } from "../../src/features/lineage/made-by";
import { ApiError } from "../../src/api/http";
import { approvingOf } from "../../src/features/pipelines/approving";
import { defaultText, paramHelp, problemCount, readForm, readParam, textsOf } from "../../src/features/pipelines/params";
import { cacheWords, dagOf, dagOfFile, dataPins, decisionWord, displacedPipelines, failedElsewhere, hasBegun, jobToShow, labelOf, reasonWords, retryAtMs, runsByPipeline, timelineRows, triggerWords, workState } from "../../src/features/pipelines/states";
import { isFinal } from "../../src/features/pipelines/use-job-log";
import { pipelineRunView } from "../../src/features/pipelines/view";

const job = (name: string, status: JobStatus, more: Partial<Job> = {}): Job => ({
  job: name, name, matrix: {}, status, attempt: 1, not_before_ms: 0, values: {}, outputs: {}, reason: "", queued_at_ms: 1_000, started_at_ms: 2_000, ended_at_ms: 5_000, ...more,
});
const cell = (name: string, index: number, status: JobStatus, more: Partial<Job> = {}) => job(name, status, { job: `${name}[${index}]`, matrix: { seed: index }, ...more });
const step = (name: string, layer: number, ...needs: string[]): PipelineJob => ({ name, layer, needs, action: "run", cells: 1 });
const param = (more: Partial<PipelineParam>): PipelineParam => ({ name: "p", type: "str", default: null, min: null, max: null, choices: [], ...more });
const href = (name: string) => `#${name}`;

describe("parameters of a run", () => {
  it("reads numbers within their range, and says what is wrong", () => {
    const trials = param({ type: "int", min: 1, max: 10 });
    expect(readParam(trials, " 3 ")).toEqual({ value: 3 });
    expect(readParam(trials, "3.5")).toEqual({ problem: "A whole number is needed." });
    expect(readParam(trials, "")).toEqual({ problem: "A whole number is needed." });
    expect(readParam(trials, "0")).toEqual({ problem: "It is at least 1." });
    expect(readParam(trials, "11")).toEqual({ problem: "It is at most 10." });
    expect(readParam(param({ type: "float", min: 0 }), "2e-3")).toEqual({ value: 0.002 });
    expect(readParam(param({ type: "float" }), "Infinity")).toEqual({ problem: "A number is needed." });
  });

  it("reads yes and no, choices and text", () => {
    expect(readParam(param({ type: "bool" }), "true")).toEqual({ value: true });
    expect(readParam(param({ type: "bool" }), "")).toHaveProperty("problem");
    expect(readParam(param({ type: "choice", choices: ["a", "b"] }), "b")).toEqual({ value: "b" });
    expect(readParam(param({ type: "choice", choices: ["a", "b"] }), "c")).toEqual({ problem: "Choose one of a, b." });
    expect(readParam(param({}), " kept as typed ")).toEqual({ value: " kept as typed " });
    expect(readParam(param({}), "")).toHaveProperty("problem");
    expect(readParam(param({ default: "" }), "")).toEqual({ value: "" });
    expect(readParam(param({ default: "ada" }), "")).toEqual({ value: "" });
  });

  it("come from an earlier run, as far as the pipeline still takes them", () => {
    const params = [param({ name: "a", type: "int", default: 3 }), param({ name: "b", type: "bool", default: false })];
    expect(textsOf(params, { a: 4, b: true, gone: "x" })).toEqual({ texts: { a: "4", b: "true" }, dropped: ["gone"] });
    expect(readForm(params, textsOf(params, { a: 4, b: true }).texts).values).toEqual({ a: 4, b: true });
  });

  it("sends only what was touched or has no default", () => {
    const params = [param({ name: "a", type: "int", default: 3 }), param({ name: "b", type: "bool", default: false }), param({ name: "c" })];
    expect(readForm(params, {})).toEqual({ values: {}, problems: { c: "Say something." } });
    const form = readForm(params, { a: "4", c: "x" });
    expect(form).toEqual({ values: { a: 4, c: "x" }, problems: {} });
    expect(problemCount(form)).toBeUndefined();
    expect(problemCount(readForm(params, { a: "many" }))).toBe("2 values are missing or wrong");
    expect([defaultText(params[0]!), defaultText(params[2]!)]).toEqual(["3", ""]);
    expect(paramHelp(param({ type: "int", default: 3, min: 1 }))).toBe("Whole number, at least 1, default 3");
  });
});

describe("jobs of a pipeline run", () => {
  it("have the states that the pieces know", () => {
    expect((["waiting", "awaiting_approval", "cached", "canceled", "lost"] as const).map(workState)).toEqual(["queued", "waiting", "cached", "cancelled", "failed"]);
  });

  it("are drawn cell by cell, and each cell needs what its job needs", () => {
    const graph = [step("load", 0), step("train", 1, "load"), step("best", 2, "train")];
    const jobs = [job("load", "succeeded"), cell("train", 0, "running", { ended_at_ms: null }), cell("train", 1, "failed", { attempt: 2 }), job("best", "waiting", { started_at_ms: null, ended_at_ms: null })];
    const { nodes, edges, nodeOf } = dagOf(graph, jobs, href);
    expect(nodes.map(({ id, label, state, note }) => [id, label, state, note])).toEqual([
      ["load", "load", "succeeded", "3.0 s"], ["train[0]", "train (seed 0)", "running", undefined], ["train[1]", "train (seed 1)", "failed", "attempt 2, 3.0 s"], ["best", "best", "queued", "needs others"],
    ]);
    expect(edges).toEqual([{ from: "load", to: "train[0]" }, { from: "load", to: "train[1]" }, { from: "train[0]", to: "best" }, { from: "train[1]", to: "best" }]);
    expect(nodeOf("train[1]")).toBe("train[1]");
  });

  it("are one box where a matrix is wide", () => {
    const cells = Array.from({ length: 9 }, (_, index) => cell("train", index, index < 7 ? "succeeded" : index === 7 ? "failed" : "running"));
    const { nodes, edges, nodeOf } = dagOf([step("train", 0), step("best", 1, "train")], [...cells, job("best", "waiting")], href);
    expect(nodes[0]).toEqual({ id: "train", label: "train × 9", state: "running", layer: 0, href: "#train[7]", note: "7 of 9 done" });
    expect(edges).toEqual([{ from: "train", to: "best" }]);
    expect(nodeOf("train[3]")).toBe("train");
  });

  it("of a file have no state yet", () => {
    const { nodes } = dagOfFile([{ ...step("train", 0), cells: 3 }, { ...step("ask", 1, "train"), action: "approval" }, { ...step("out", 2, "ask"), action: "deploy+set_alias" }], href);
    expect(nodes.map(({ state, note }) => [state, note])).toEqual([[undefined, "command, 3 cells"], [undefined, "approval"], [undefined, "deploy and set an alias"]]);
  });

  it("show the one that was asked for, else the one that needs somebody", () => {
    const jobs = [job("a", "succeeded"), job("b", "failed"), job("c", "awaiting_approval"), cell("d", 0, "succeeded"), cell("d", 1, "failed")];
    const shown = (wanted?: string) => jobToShow(jobs, wanted)?.job;
    expect([shown(), shown("a"), shown("d"), shown("gone")]).toEqual(["c", "a", "d[1]", "c"]);
    expect(jobToShow([], undefined)).toBeUndefined();
    expect(jobs.map(hasBegun)).toEqual([true, true, true, true, true]);
    expect([hasBegun(job("x", "waiting")), hasBegun(job("x", "queued"))]).toEqual([false, false]);
    expect([failedElsewhere(jobs, jobs[0])?.job, failedElsewhere(jobs, jobs[1]), failedElsewhere(jobs, undefined), failedElsewhere([jobs[0]!], jobs[0])]).toEqual(["b", undefined, undefined, undefined]);
    expect(labelOf(job("x", "queued", { matrix: { model: "lgbm", seed: 3 } }))).toBe("x (lgbm, seed 3)");
  });

  it("say until when they wait for another attempt", () => {
    expect(retryAtMs(job("a", "queued", { not_before_ms: 9_000 }))).toBe(9_000);
    for (const other of [job("a", "queued"), job("a", "running", { not_before_ms: 9_000 }), job("a", "queued", { attempt: 0, not_before_ms: 9_000 })]) expect(retryAtMs(other)).toBeUndefined();
  });
  it("have a log that is not asked for again after a refusal", () => {
    expect([403, 404, 429, 503, 0].map((status) => isFinal(new ApiError(status, "x", "x")))).toEqual([true, true, false, false, false]);
    expect(isFinal(new Error("x"))).toBe(false);
  });
  it("that wait for people are about what stands before them and what begins then", () => {
    const graph = [step("load", 0), step("train", 1, "load"), step("register", 2, "train"), step("agree", 3, "register"), step("publish", 4, "agree")];
    const jobs = [job("load", "succeeded"), job("train", "succeeded", { run_id: "r1" }), job("register", "succeeded", { run_id: "r2", values: { model: "churn", version: "7" } }), job("agree", "awaiting_approval"), job("publish", "waiting")];
    const about = approvingOf({ graph, jobs }, "agree");
    expect(about.versions).toEqual([{ model: "churn", version: "7" }]);
    expect([about.sources.map(({ run_id }) => run_id), about.next.map(({ name }) => name)]).toEqual([["r2"], ["publish"]]);
    expect(approvingOf({ graph: [step("agree", 0)], jobs: [job("agree", "awaiting_approval")] }, "agree")).toEqual({ versions: [], sources: [], next: [] });
    expect(["approve", "reject", null].map((decision) => decisionWord({ detail: { decision } }))).toEqual(["approved", "rejected", "nobody decided in time"]);
  });
  it("stand on the timeline with their wait and every attempt", () => {
    const tries: Attempt[] = [
      { attempt: 1, status: "lost", reason: "", started_at_ms: 2_000, ended_at_ms: 3_000 },
      { attempt: 2, status: "succeeded", reason: "", started_at_ms: 4_000, ended_at_ms: 5_000 },
    ];
    const jobs = [
      job("tried", "succeeded", { attempt: 2, started_at_ms: 4_000 }), job("once", "cached"), job("ask", "awaiting_approval", { attempt: 0, started_at_ms: null, ended_at_ms: null }),
      job("never", "skipped", { attempt: 0, started_at_ms: null }), job("later", "waiting", { attempt: 0, queued_at_ms: null, started_at_ms: null, ended_at_ms: null }),
      job("ready", "queued", { attempt: 0, started_at_ms: null, ended_at_ms: null }),
    ];
    const rows = timelineRows(jobs, (name) => (name === "tried" ? tries : undefined), href);
    expect(rows.map(({ segments }) => segments.map(({ state, startMs, endMs }) => [state, startMs, endMs]))).toEqual([
      [["queued", 1_000, 2_000], ["failed", 2_000, 3_000], ["succeeded", 4_000, 5_000]],
      [["queued", 1_000, 2_000], ["cached", 2_000, 5_000]],
      [["waiting", 1_000, undefined]],
      [],
      [],
      [["queued", 1_000, undefined]],
    ]);
  });

  it("tell why they were cached, and why not", () => {
    expect(cacheWords({ ...job("x", "succeeded"), reason: `not cached: code changed from ${"0a".repeat(20)} to ${"1b".repeat(32)}` })?.why).toBe("code changed from 0a0a0a0a0a0a to 1b1b1b1b1b1b");
    expect(cacheWords(job("a", "cached", { cached_from: "0123/train[2]" }))).toMatchObject({ isHit: true, from: { runId: "0123", job: "train[2]" } });
    const missed = job("a", "succeeded", { reason: "not cached: input `it` changed" });
    expect(cacheWords(missed)).toEqual({ isHit: false, why: "input `it` changed" });
    expect(reasonWords(missed)).toBe("");
    expect(cacheWords(job("a", "failed", { reason: "the command ended with exit code 3" }))).toBeUndefined();
  });
});

describe("pipeline runs", () => {
  const run = (pipeline: string, number: number): PipelineRun => ({
    id: `${pipeline}-${number}`, pipeline, number, status: "succeeded", trigger: "manual", trigger_detail: {}, params: {}, actor: "ada", reason: "", is_canceled: false, pins: {}, created_at_ms: number,
  });

  it("say what started them", () => {
    expect(triggerWords(run("a", 1))).toBe("ada, by hand");
    expect(triggerWords({ ...run("a", 1), trigger: "data_commit", trigger_detail: { repository: "churn", branch: "main", commit: "ab" } })).toBe("commit on churn@main");
    expect(triggerWords({ ...run("a", 1), trigger: "drift_alert", trigger_detail: { deployment: "churn", rule: "auc", metric: "quality" } })).toBe("alert auc of churn");
    expect(triggerWords({ ...run("a", 1), trigger: "schedule", trigger_detail: { cron: "0 3 * * 1" } })).toBe("schedule 0 3 * * 1");
  });

  it("are shown by pipeline, newest first, and not all of them", () => {
    const found = runsByPipeline([run("a", 3), run("b", 1), run("a", 2), run("a", 1)], 2);
    expect([found.get("a")?.map(({ number }) => number), found.get("b")?.length, found.get("c")]).toEqual([[3, 2], 1, undefined]);
    expect(displacedPipelines([{ name: "a", runs: 3 }, { name: "rare", runs: 1 }, { name: "new", runs: 0 }], found)).toEqual(["rare"]);
  });

  it("name the data commits that they read", () => {
    expect(dataPins({ "churn@main": "abc", "flights@v1": "def" })).toEqual([{ repository: "churn", ref: "main", commit: "abc" }, { repository: "flights", ref: "v1", commit: "def" }]);
  });

  it("have pages, and so have their jobs", () => {
    expect(pageOf("fraud/pipeline/churn")).toBe("/p/fraud/pipelines/churn");
    expect(pageOf("fraud/pipeline-run/0123456789abcdef")).toBe("/p/fraud/pipeline-runs/0123456789abcdef");
    expect(pageOf("fraud/job/0123/train[2]")).toBe("/p/fraud/pipeline-runs/0123?job=train%5B2%5D");
    expect([nameLabel("fraud/job/0123/train[2]"), nameLabel("fraud/pipeline-run/0123456789abcdef")]).toEqual(["train[2]", "89abcdef"]);
  });

  it("keep what is shown in the address", () => {
    const view = { draw: "timeline" as const, job: "train[2]", attempt: 1, find: "loss" };
    const search = writeView(pipelineRunView, view);
    expect(search).toEqual({ draw: "timeline", job: "train[2]", attempt: "1", find: "loss" });
    expect(readView(pipelineRunView, search)).toEqual(view);
  });
});

describe("what made a thing", () => {
  it("is its run, the job of the run and the pipeline run of the job, and nothing that the run read", () => {
    const edge = (from: string, to: string, kind = "x") => ({ from, to, kind });
    const edges = [
      edge("p/run/r", "p/data/churn@c", "wrote"), edge("p/data/churn@b", "p/data/churn@c", "parent"), edge("p/data/raw@a", "p/run/r", "read"), edge("p/job/1/train", "p/run/r"),
      edge("p/pipeline-run/1", "p/job/1/train"), edge("p/pipeline/churn", "p/pipeline-run/1"),
    ];
    expect(makersOf({ edges }, "p/data/churn@c")).toEqual(["p/run/r", "p/job/1/train", "p/pipeline-run/1", "p/pipeline/churn"]);
    expect(makersOf({ edges: [edge("p/data/churn@b", "p/data/churn@c")] }, "p/data/churn@c")).toEqual([]);
  });
});
