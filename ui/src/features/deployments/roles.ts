// What a deployment's numbers say: who answers which part, how fast, and how a canary does beside the version it would replace.
import type { DeployedVersion, Deployment, DeploymentRole, TrafficStatistics } from "../../api/native";
import { formatNumber } from "../../components/format";

export const roleWords: Record<DeploymentRole, string> = { primary: "Primary", canary: "Canary", shadow: "Shadow", previous: "Previous" };

export const versionOf = (deployment: Pick<Deployment, "versions">, role: DeploymentRole): DeployedVersion | undefined =>
  deployment.versions.find((version) => version.role === role);

/** Percent of the requests whose answer comes from the version: the primary answers what the canary does not. */
export function shareOf(deployment: Pick<Deployment, "versions">, version: DeployedVersion): number {
  if (version.role === "canary") return version.weight;
  return version.role === "primary" ? 100 - (versionOf(deployment, "canary")?.weight ?? 0) : 0;
}

export const ratePerSecond = ({ requests, seconds }: TrafficStatistics): number => (seconds > 0 ? requests / seconds : 0);

/** The part of the requests that the model did not answer, 0 to 1; nothing where nothing was asked. */
export const errorShare = ({ requests, errors }: Pick<TrafficStatistics, "requests" | "errors">): number | undefined => (requests > 0 ? errors / requests : undefined);

export interface RecentTraffic {
  perSecond: number;
  requests: number;
  errors: number;
}

/** What callers saw in the last minutes: primary and canary together. A shadow is heard by nobody. */
export function recentTraffic(deployment: Pick<Deployment, "versions">): RecentTraffic | undefined {
  const heard = deployment.versions.flatMap(({ role, statistics }) => ((role === "primary" || role === "canary") && statistics ? [statistics.recent] : []));
  if (!heard.length) return undefined;
  return heard.reduce((sum, recent) => ({ perSecond: sum.perSecond + ratePerSecond(recent), requests: sum.requests + recent.requests, errors: sum.errors + recent.errors }), { perSecond: 0, requests: 0, errors: 0 });
}

export interface Comparison {
  measure: string;
  kind: "count" | "share" | "ms";
  primary: number | undefined;
  canary: number | undefined;
  /** Canary divided by primary, where that says something. */
  ratio?: number;
}

/** The measures that the gate of a pipeline job can name, of both since the canary began. */
export function compareCanary(primary: TrafficStatistics | undefined, canary: TrafficStatistics | undefined): Comparison[] {
  const row = (measure: string, kind: Comparison["kind"], read: (statistics: TrafficStatistics) => number | undefined): Comparison => {
    const [before, now] = [primary && read(primary), canary && read(canary)];
    const isRatio = kind === "ms" && before !== undefined && now !== undefined && before > 0;
    return { measure, kind, primary: before, canary: now, ...(isRatio ? { ratio: now / before } : {}) };
  };
  return [
    row("Requests", "count", ({ requests }) => requests),
    row("Errors", "share", errorShare),
    row("p50", "ms", ({ p50_ms }) => p50_ms),
    row("p95", "ms", ({ p95_ms }) => p95_ms),
    row("p99", "ms", ({ p99_ms }) => p99_ms),
  ];
}

/** A latency: two significant digits at least; what takes less than a tenth of a millisecond is told in microseconds. */
export function formatMs(ms: number | undefined, digits = 2): string {
  if (ms === undefined) return "–";
  if (ms === 0) return "0 ms";
  return ms < 0.1 ? `${withDigits(ms * 1000, digits)} µs` : `${withDigits(ms, digits)} ms`;
}

/** So many significant digits, and all of those before the point. */
const withDigits = (value: number, digits: number): string => Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(value) + 1e-9), 1))).toLocaleString("en-US", { maximumSignificantDigits: 21 });

/** `digits` where the usual form does not tell two rates apart. */
export function formatRate(perSecond: number, digits?: number): string {
  if (perSecond === 0) return "0";
  if (digits !== undefined) return withDigits(perSecond, digits);
  return perSecond < 0.01 ? "< 0.01" : perSecond < 10 ? perSecond.toFixed(2) : perSecond.toFixed(perSecond < 100 ? 1 : 0);
}

const rateUnits = [
  { word: "second", seconds: 1 },
  { word: "minute", seconds: 60 },
  { word: "hour", seconds: 3600 },
  { word: "day", seconds: 86_400 },
] as const;

/** The unit in which a rate is told: what comes seldom is counted by the minute, the hour or the day. */
export const rateUnit = (mostPerSecond: number): (typeof rateUnits)[number] => rateUnits.find(({ seconds }) => mostPerSecond * seconds >= 1) ?? (mostPerSecond > 0 ? rateUnits[3] : rateUnits[0]);

/** `0.3 %`; never `0 %` where there was one, and never `100 %` where one was missing. `digits` tells more, up to all of them. */
export function formatShare(share: number | undefined, digits?: number): string {
  if (share === undefined) return "–";
  if (share === 0) return "0 %";
  if (digits !== undefined) return `${formatNumber(share * 100, digits)} %`;
  if (share < 0.001) return "< 0.1 %";
  if (share < 1 && share > 0.999) return "> 99.9 %";
  return `${(share * 100).toFixed(share < 0.1 || (share > 0.99 && share < 1) ? 1 : 0)} %`;
}
