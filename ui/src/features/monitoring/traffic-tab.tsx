import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Deployment, TrafficRow } from "../../api/native";
import { useProject, useView } from "../../app/navigation";
import TimeChart from "../../charts/time-chart";
import { Empty, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { Segmented } from "../../components/fields";
import { formatCount, plural } from "../../components/format";
import { Section } from "../../components/page";
import { historyQuery } from "../deployments/queries";
import { formatMs, formatRate, formatShare, rateUnit } from "../deployments/roles";
import { alertsQuery, rulesQuery, trafficQuery } from "./queries";
import { alertSpans, changeMarks, errorCounts, linesByVersion, ruleThresholds } from "./series";
import { trafficView } from "./view";
import { isSpan, useWindows } from "./windows";
import { WindowsBar } from "./windows-bar";

const eventsAtMost = 100;
const noRows: TrafficRow[] = [];
const changeActions = ["deployment."];
const causes: Record<string, string> = {
  invalid_argument: "the request did not fit the model; not counted as its error",
  model_failed: "the model raised an error",
  timed_out: "no answer in time",
  unavailable: "no worker could take it, or it ended",
};

/** Requests, errors and latencies over time, by version. */
export function TrafficTab({ deployment }: { deployment: Deployment }) {
  const project = useProject();
  const [view, setView] = useView(trafficView);
  const shown = useWindows(view, (query) => trafficQuery(project, deployment.name, query));
  const traffic = shown.found;
  const rules = useQuery(rulesQuery(project, deployment.name));
  const alerts = useQuery(alertsQuery(project, deployment.name));
  const history = useQuery(historyQuery(project, deployment.name, changeActions, eventsAtMost));
  const rows = traffic.data?.windows ?? noRows;
  const marks = [...changeMarks(history.data, rows), ...shown.marks];
  const limits = (metric: string) => ruleThresholds(rules.data, (rule) => rule.metric === metric);
  const spans = (metric: string) => alertSpans(alerts.data, rows[0]?.length_ms ?? 0, (name) => rules.data?.some((rule) => rule.name === name && rule.metric === metric) ?? false);
  const unit = rateUnit(Math.max(0, ...rows.map(({ rate }) => rate)));
  const { seconds } = unit;
  const lines = useMemo(
    () => ({ requests: linesByVersion(rows, ({ rate }) => rate * seconds), errors: linesByVersion(rows, ({ error_rate }) => error_rate), latency: linesByVersion(rows, (row) => row[`${view.latency}_ms`], ({ p50_ms, p99_ms }) => [p50_ms, p99_ms]) }),
    [rows, seconds, view.latency],
  );
  const errors = errorCounts(rows);
  const requests = rows.reduce((sum, row) => sum + row.requests, 0);
  const dropped = traffic.data?.dropped_samples ?? 0;
  return (
    <>
      <WindowsBar deployment={deployment} view={view} shown={shown} onChange={setView} />
      {traffic.error ? <ErrorNote error={traffic.error} /> : null}
      {traffic.isPending ? <SkeletonRows /> : null}
      {dropped > 0 ? <p className="note">{plural(dropped, "sample")} were not kept since the server started, because too many came at once: rates and shares are of the rest.</p> : null}
      {traffic.data && !rows.length && isSpan(view) ? <Empty title="No traffic in this time" /> : null}
      {traffic.data && !rows.length && !isSpan(view) ? <Empty title="No traffic yet"><p>Each request is counted by window of time a second or so after it was answered. <em>Try it</em> sends one.</p></Empty> : null}
      {rows.length ? (
        <div className="chart-pages">
          <Section title={`Requests per ${unit.word}`}>
            <TimeChart label={`Requests per ${unit.word} over time`} series={lines.requests} marks={marks} format={formatRate} syncKey="traffic" />
          </Section>
          <Section title="Errors">
            <TimeChart label="Share of failed requests over time" series={lines.errors} thresholds={limits("error_rate")} spans={spans("error_rate")} marks={marks} format={formatShare} syncKey="traffic" />
          </Section>
          <Section
            title={`Latency: ${view.latency}`}
            actions={
              <>
                <span className="muted">shaded: p50 to p99</span>
                <Segmented label="Latency" value={view.latency} options={(["p50", "p95", "p99"] as const).map((value) => ({ value, label: value }))} onChange={(latency) => setView({ latency }, { replace: true })} />
              </>
            }
          >
            <TimeChart
              label={`${view.latency} of the latency over time`}
              series={lines.latency}
              thresholds={view.latency === "p95" ? limits("p95_latency_ms") : []}
              spans={view.latency === "p95" ? spans("p95_latency_ms") : []}
              marks={marks}
              format={formatMs}
              syncKey="traffic"
            />
          </Section>
          <Section title="Why requests failed" count={errors.length}>
            {errors.length ? (
              <table className="table inset" aria-label="Why requests failed" style={{ maxWidth: 640 }}>
                <thead><tr><th>Code</th><th className="number">Requests</th><th className="number">Of all</th></tr></thead>
                <tbody>
                  {errors.map(([code, count]) => (
                    <tr key={code}>
                      <td><span className="mono">{code}</span>{causes[code] ? <span className="muted"> {causes[code]}</span> : null}</td>
                      <td className="number">{formatCount(count)}</td>
                      <td className="number nowrap">{formatShare(count / Math.max(1, requests))}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            ) : (
              <p className="muted">None did.</p>
            )}
          </Section>
        </div>
      ) : null}
    </>
  );
}
