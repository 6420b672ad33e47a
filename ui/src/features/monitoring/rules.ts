// Alert rules in words, and what a new one needs.
import type { AlertRule, NewAlertRule } from "../../api/native";
import { formatDuration, plural } from "../../components/format";

type Metric = AlertRule["metric"];

export const metricWords: Record<Metric, string> = {
  drift_share: "Share of drifted inputs",
  psi: "Drift of one input (PSI)",
  error_rate: "Share of failed requests",
  p95_latency_ms: "p95 of the latency, in ms",
  quality: "Quality by labels",
  rows: "Rows in the window",
};

export const qualityMeasures = ["accuracy", "precision", "recall", "f1", "auc", "brier", "log_loss", "mae", "rmse", "r2"] as const;
const lossMeasures = ["mae", "rmse", "brier", "log_loss"];

export const usualThresholds: Record<Metric, number> = { drift_share: 0.3, psi: 0.2, error_rate: 0.01, p95_latency_ms: 200, quality: 0.8, rows: 1 };

/** `accuracy below 0.8`, `PSI of age from 0.2 on`: when the rule raises an alert. */
export function conditionOf({ metric, column, measure, threshold }: Pick<AlertRule, "metric" | "column" | "measure" | "threshold">): string {
  switch (metric) {
    case "drift_share": return `share of drifted inputs from ${threshold} on`;
    case "psi": return `PSI of ${column} from ${threshold} on`;
    case "error_rate": return `share of failed requests above ${threshold}`;
    case "p95_latency_ms": return `p95 above ${threshold} ms`;
    case "quality": return `${measure?.replaceAll("_", " ")} ${lossMeasures.includes(measure ?? "") ? "above" : "below"} ${threshold}`;
    case "rows": return `fewer than ${threshold} rows`;
  }
}

const lengths: [number, string][] = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"], [1000, "second"]];

/** A length of time in the largest unit that it is whole in: `1 hour`, `90 days`. */
export function lengthWords(ms: number): string {
  const [unitMs, word] = lengths.find(([unit]) => ms >= unit && ms % unit === 0) ?? [0, ""];
  return unitMs ? plural(ms / unitMs, word) : formatDuration(ms);
}

/** The tab on which an alert of the metric can be seen. */
export function tabOf(metric: Metric | undefined): string {
  if (metric === "quality") return "quality";
  return metric === "drift_share" || metric === "psi" || metric === undefined ? "drift" : "traffic";
}

export interface RuleDraft {
  name: string;
  metric: Metric;
  column: string;
  measure: string;
  threshold: string;
  severity: "info" | "warning" | "critical";
  minRows: string;
  coolDownMinutes: string;
}

/** What the server is sent, or nothing while something is missing. */
export function ruleOf(draft: RuleDraft): NewAlertRule | undefined {
  const [threshold, minRows, coolDown] = [Number(draft.threshold), Number(draft.minRows), Number(draft.coolDownMinutes)];
  const isWhole = Number.isInteger(minRows) && minRows >= 0 && coolDown >= 0 && Number.isFinite(coolDown);
  if (!draft.name.trim() || draft.threshold.trim() === "" || !Number.isFinite(threshold) || !isWhole) return undefined;
  if (draft.metric === "psi" && !draft.column.trim()) return undefined;
  return {
    name: draft.name.trim(),
    metric: draft.metric,
    ...(draft.metric === "psi" ? { column: draft.column.trim() } : {}),
    ...(draft.metric === "quality" ? { measure: draft.measure } : {}),
    threshold,
    severity: draft.severity,
    min_rows: minRows,
    cool_down_ms: Math.round(coolDown * 60_000),
  };
}
