// Alert rules in words, and what a new one needs.
import type { AlertRule, NewAlertRule } from "../../api/native";
import { formatDuration, plural } from "../../components/format";

type Metric = AlertRule["metric"];

export const metricWords: Record<Metric, string> = {
  drift_share: "Share of drifted inputs",
  prediction_drift_share: "Share of drifted outputs",
  psi: "Drift of one column: PSI",
  ks_p_value: "Drift of one column: Kolmogorov-Smirnov, p-value",
  chi_squared_p_value: "Drift of one column: chi-squared, p-value",
  jensen_shannon: "Drift of one column: Jensen-Shannon distance",
  normed_wasserstein: "Drift of one column: normed Wasserstein distance",
  new_category_share: "Share of new categories in one column",
  missing_share: "Share of missing values in one column",
  schema_changes: "Inputs that are missing, new or of another kind",
  error_rate: "Share of failed requests",
  p95_latency_ms: "p95 of the latency, in ms",
  quality: "Quality by labels",
  rows: "Rows in the window",
};

export const qualityMeasures = ["accuracy", "precision", "recall", "f1", "auc", "brier", "log_loss", "mae", "rmse", "r2"] as const;
const lossMeasures = ["mae", "rmse", "brier", "log_loss"];

export const usualThresholds: Record<Metric, number> = {
  drift_share: 0.3,
  prediction_drift_share: 0.3,
  psi: 0.2,
  ks_p_value: 0.05,
  chi_squared_p_value: 0.05,
  jensen_shannon: 0.1,
  normed_wasserstein: 0.1,
  new_category_share: 0.01,
  missing_share: 0.05,
  schema_changes: 0,
  error_rate: 0.01,
  p95_latency_ms: 200,
  quality: 0.8,
  rows: 1,
};

const columnMetrics: ReadonlySet<Metric> = new Set(["psi", "ks_p_value", "chi_squared_p_value", "jensen_shannon", "normed_wasserstein", "new_category_share", "missing_share"]);

/** Whether a rule about the metric names a column. */
export function isOfColumn(metric: Metric): boolean {
  return columnMetrics.has(metric);
}

/** `accuracy below 0.8`, `PSI of age from 0.2 on`: when the rule raises an alert. */
export function conditionOf({ metric, column, measure, threshold }: Pick<AlertRule, "metric" | "column" | "measure" | "threshold">): string {
  switch (metric) {
    case "drift_share": return `share of drifted inputs from ${threshold} on`;
    case "prediction_drift_share": return `share of drifted outputs from ${threshold} on`;
    case "psi": return `PSI of ${column} from ${threshold} on`;
    case "ks_p_value": return `Kolmogorov-Smirnov of ${column}: p below ${threshold}`;
    case "chi_squared_p_value": return `chi-squared of ${column}: p below ${threshold}`;
    case "jensen_shannon": return `Jensen-Shannon distance of ${column} from ${threshold} on`;
    case "normed_wasserstein": return `normed Wasserstein distance of ${column} from ${threshold} on`;
    case "new_category_share": return `share of new categories in ${column} above ${threshold}`;
    case "missing_share": return `share of missing values in ${column} above ${threshold}`;
    case "schema_changes": return `more than ${threshold} inputs missing, new or of another kind`;
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
  return metric === "error_rate" || metric === "p95_latency_ms" || metric === "rows" ? "traffic" : "drift";
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
  if (isOfColumn(draft.metric) && !draft.column.trim()) return undefined;
  return {
    name: draft.name.trim(),
    metric: draft.metric,
    ...(isOfColumn(draft.metric) ? { column: draft.column.trim() } : {}),
    ...(draft.metric === "quality" ? { measure: draft.measure } : {}),
    threshold,
    severity: draft.severity,
    min_rows: minRows,
    cool_down_ms: Math.round(coolDown * 60_000),
  };
}
