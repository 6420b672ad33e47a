// Alert rules in words, and what a new one needs.
import type { AlertRule, NewAlertRule } from "../../api/native";
import type { Raised } from "../../charts/time-data";
import { formatDuration, formatNumber, plural } from "../../components/format";

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

const shareMetrics: ReadonlySet<string> = new Set<Metric>(["drift_share", "prediction_drift_share", "new_category_share", "missing_share", "error_rate"]);

/** What was measured is written with so many digits; whole numbers are counts, and those are not rounded. */
const measured = (value: number): string => formatNumber(Number.isInteger(value) ? value : Number(value.toPrecision(4)));

/** What somebody set stands in full: rounded, it could lie on the other side of what was seen. */
const written = (value: number): string => value.toLocaleString("en-US", { maximumSignificantDigits: 15 }).replace("-", "−");

/** A value of a metric that was seen, with its unit; without one where the metric is not known any longer. */
export const valueWords = (metric: string | undefined, value: number): string => withUnit(metric, value, measured);

/** The threshold of a rule with its unit, as `valueWords` writes what was seen. */
export const thresholdWords = (metric: string | undefined, threshold: number): string => withUnit(metric, threshold, written);

function withUnit(metric: string | undefined, value: number, write: (value: number) => string): string {
  if (metric && shareMetrics.has(metric)) return `${write(value * 100)} %`;
  if (metric === "rows") return plural(value, "row");
  return metric === "p95_latency_ms" ? `${write(value)} ms` : write(value);
}

/** What the number in the form of a rule is, where that does not stand in the rule's words. */
export const unitHelp = (metric: Metric): string => (shareMetrics.has(metric) ? "A share from 0 to 1: 0.05 is 5 %." : "");

const raisedFrom: readonly Metric[] = ["drift_share", "prediction_drift_share", "psi", "jensen_shannon", "normed_wasserstein"];
const raisedBelow: readonly Metric[] = ["ks_p_value", "chi_squared_p_value", "rows"];

/** On which side of its threshold a rule raises an alert. */
export function raisedOf({ metric, measure }: Pick<AlertRule, "metric" | "measure">): Raised {
  if (metric === "quality") return lossMeasures.includes(measure ?? "") ? "above" : "below";
  return raisedFrom.includes(metric) ? "from" : raisedBelow.includes(metric) ? "below" : "above";
}

/** `at most 5 %`: what a rule has nothing against; the number alone where the rule was deleted. */
export function allowedWords(rule: Pick<AlertRule, "metric" | "measure"> | undefined, threshold: number): string {
  if (!rule) return thresholdWords(undefined, threshold);
  return `${{ from: "below", above: "at most", below: "at least" }[raisedOf(rule)]} ${thresholdWords(rule.metric, threshold)}`;
}

const columnMetrics: ReadonlySet<Metric> = new Set(["psi", "ks_p_value", "chi_squared_p_value", "jensen_shannon", "normed_wasserstein", "new_category_share", "missing_share"]);

/** Whether a rule about the metric names a column. */
export function isOfColumn(metric: Metric): boolean {
  return columnMetrics.has(metric);
}

/** `accuracy below 0.8`, `PSI of age from 0.2 on`: when the rule raises an alert. */
export function conditionOf(rule: Pick<AlertRule, "metric" | "column" | "measure" | "threshold">): string {
  const { metric, threshold } = rule;
  if (metric === "schema_changes") return `more than ${thresholdWords(metric, threshold)} inputs missing, new or of another kind`;
  if (metric === "rows") return `fewer than ${thresholdWords(metric, threshold)}`;
  const limit = thresholdWords(metric, threshold);
  return `${subjectOf(rule)} ${{ from: `from ${limit} on`, above: `above ${limit}`, below: `below ${limit}` }[raisedOf(rule)]}`;
}

function subjectOf({ metric, column = "the column", measure = "" }: Pick<AlertRule, "metric" | "column" | "measure">): string {
  switch (metric) {
    case "drift_share": return "share of drifted inputs";
    case "prediction_drift_share": return "share of drifted outputs";
    case "psi": return `PSI of ${column}`;
    case "ks_p_value": return `Kolmogorov-Smirnov of ${column}: p`;
    case "chi_squared_p_value": return `chi-squared of ${column}: p`;
    case "jensen_shannon": return `Jensen-Shannon distance of ${column}`;
    case "normed_wasserstein": return `normed Wasserstein distance of ${column}`;
    case "new_category_share": return `share of new categories in ${column}`;
    case "missing_share": return `share of missing values in ${column}`;
    case "error_rate": return "share of failed requests";
    case "p95_latency_ms": return "p95";
    case "quality": return measure.replaceAll("_", " ");
    default: return metric.replaceAll("_", " ");
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

/** When the rule of a form would raise an alert, as far as it is filled in. */
export function draftCondition({ metric, column, measure, threshold }: RuleDraft): string | undefined {
  const limit = Number(threshold);
  if (threshold.trim() === "" || !Number.isFinite(limit)) return undefined;
  return conditionOf({ metric, column: column.trim() || undefined, measure, threshold: limit });
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
