// The pieces that pages are built from, with made-up data: to look at, and for tests/e2e/pieces.test.mjs. Never built into dist.
import { createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { useEffect, useState, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { BarList } from "../src/charts/bar-list";
import TimeChart from "../src/charts/time-chart";
import type { TimeSeries } from "../src/charts/time-data";
import { Dag } from "../src/components/dag";
import type { DagNode } from "../src/components/dag-layout";
import { LogBuffer } from "../src/components/log-text";
import { LogViewer } from "../src/components/log-viewer";
import { Section } from "../src/components/page";
import { Timeline, type TimelineRow } from "../src/components/timeline";
import type { WorkState } from "../src/components/work-state";
import "../src/styles/index.css";

const start = Date.UTC(2026, 10, 20, 8);
const job = (id: string, state: WorkState, layer: number, note?: string): DagNode<WorkState> => ({ id, label: id, state, layer, note, href: `#${id}` });
const jobs = [
  job("load", "succeeded", 0, "12 s"), job("profile", "cached", 1), job("features", "succeeded", 1, "40 s"), job("train (lr=0.1)", "running", 2), job("train (lr=0.01)", "failed", 2, "attempt 2"),
  job("compare", "queued", 3), job("approve", "waiting", 4), job("deploy", "skipped", 5), job("notify", "cancelled", 5),
];
const needs: [string, string][] = [["load", "profile"], ["load", "features"], ["features", "train (lr=0.1)"], ["features", "train (lr=0.01)"], ["train (lr=0.1)", "compare"], ["train (lr=0.01)", "compare"], ["profile", "compare"], ["compare", "approve"], ["approve", "deploy"], ["approve", "notify"]];
const row = (id: string, state: WorkState, ...segments: TimelineRow["segments"]): TimelineRow => ({ id, label: id, state, href: `#${id}`, segments });
const at = (seconds: number) => start + seconds * 1000;
const rows = [
  row("load", "succeeded", { state: "succeeded", startMs: at(0), endMs: at(12) }),
  row("profile", "cached", { state: "cached", startMs: at(12), endMs: at(12.2) }),
  row("features", "succeeded", { state: "queued", startMs: at(12), endMs: at(20) }, { state: "succeeded", startMs: at(20), endMs: at(60) }),
  row("train (lr=0.1)", "running", { state: "running", startMs: at(62) }),
  row("train (lr=0.01)", "failed", { state: "failed", startMs: at(62), endMs: at(80), label: "attempt 1" }, { state: "failed", startMs: at(90), endMs: at(120), label: "attempt 2" }),
  row("export", "cancelled", { state: "cancelled", startMs: at(70), endMs: at(100) }),
  row("compare", "queued"),
];
const times = Array.from({ length: 96 }, (_, index) => start + index * 900_000);
const wave = (phase: number, size: number) => times.map((_, index) => (index > 40 && index < 46 ? null : 0.1 + size * Math.sin(index / 9 + phase) ** 2));
const series: TimeSeries[] = [
  { id: "primary", label: "v3 (primary)", color: 0, timesMs: times, values: wave(0, 0.08), lower: wave(0, 0.05), upper: wave(0, 0.12) },
  { id: "canary", label: "v4 (canary)", color: 1, dash: 1, timesMs: times.slice(50), values: wave(1, 0.18).slice(50) },
];
const features = ["age", "income", "a_rather_long_name_of_a_feature_that_somebody_made", "region", "tenure", "rare"].map((name, index) => ({ name, value: index === 5 ? null : 0.42 / (index + 1), href: `#${name}`, note: index === 1 ? "numeric" : undefined }));

const log = new LogBuffer();
log.append(Array.from({ length: 5000 }, (_, index) => `${index % 50 ? "" : "\u001b[33mWARN\u001b[0m "}epoch ${index} \u001b[1mloss\u001b[0m ${(1 / (index + 1)).toFixed(5)}`).join("\n"));
(globalThis as { appendLog?: (text: string) => void }).appendLog = (text) => log.append(text);

function Pieces() {
  const shown = useSyncExternalStore(log.subscribe, log.snapshot);
  const [search, setSearch] = useState("");
  useEffect(() => void (document.title = "Pieces"), []);
  return (
    <main className="page-body" style={{ height: "100%", background: "var(--surface)" }}>
      <h1>Pieces</h1>
      <Section title="Graph"><Dag label="Graph of the jobs" nodes={jobs} edges={needs.map(([from, to]) => ({ from, to }))} current="compare" /></Section>
      <Section title="Timeline"><Timeline label="Jobs over time" rows={rows} nowMs={at(150)} current="load" /></Section>
      <Section title="Log"><div style={{ height: 300 }}><LogViewer label="Log of train" log={shown} isLive search={search} onSearch={setSearch} onDownload={() => {}} /></div></Section>
      <Section title="Over time">
        <TimeChart
          label="Drift over time"
          series={series}
          thresholds={[{ value: 0.2, label: "warning", severity: "warning", raised: "from" }, { value: 0.25, label: "alert", severity: "critical", raised: "from" }]}
          marks={[{ atMs: times[50]!, label: "canary v4" }]}
          spans={[{ fromMs: times[70]!, toMs: times[80]!, label: "alert open" }]}
        />
      </Section>
      <Section title="By feature"><BarList label="Drift by feature" items={features} measure="PSI" of="Feature" threshold={0.2} current="income" /></Section>
    </main>
  );
}

const router = createRouter({ routeTree: createRootRoute({ component: Pieces }), defaultNotFoundComponent: Pieces });
createRoot(document.getElementById("root")!).render(<RouterProvider router={router} />);
