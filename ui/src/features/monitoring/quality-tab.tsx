import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Deployment, QualityRow } from "../../api/native";
import { useProject, useView } from "../../app/navigation";
import { trackingUri } from "../../app/paths";
import TimeChart from "../../charts/time-chart";
import { Snippet } from "../../components/copy";
import { Empty, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatCount, formatNumber, windowFormat } from "../../components/format";
import { Section } from "../../components/page";
import { formatShare } from "../deployments/roles";
import { alertsQuery, qualityQuery, rulesQuery } from "./queries";
import { alertSpans, arrivedLabels, lineLabel, linesByVersion, measuresOf, ruleThresholds } from "./series";
import { qualityView } from "./view";
import { useWindows } from "./windows";
import { WindowsBar } from "./windows-bar";

const noRows: QualityRow[] = [];

/** How good the answers were, by the labels that have come, and how many those are. */
export function QualityTab({ deployment }: { deployment: Deployment }) {
  const project = useProject();
  const [view, setView] = useView(qualityView);
  const shown = useWindows(view, (query) => qualityQuery(project, deployment.name, query));
  const quality = shown.found;
  const rules = useQuery(rulesQuery(project, deployment.name));
  const alerts = useQuery(alertsQuery(project, deployment.name));
  const rows = quality.data?.windows ?? noRows;
  const nameOf = windowFormat(rows.map((row) => row.start_ms));
  const measures = measuresOf(rows);
  const measure = measures.find((name) => name === view.measure) ?? measures[0];
  const lines = useMemo(
    () => ({ measure: linesByVersion(rows, ({ measures: found }) => (measure ? found[measure] : undefined)), labelled: linesByVersion(rows, (row) => (row.rows ? row.labelled / row.rows : undefined)) }),
    [rows, measure],
  );
  const { rows: answered, labelled } = arrivedLabels(rows);
  const isRule = (rule: { metric: string; measure?: string }) => rule.metric === "quality" && rule.measure === measure;
  return (
    <>
      <WindowsBar deployment={deployment} view={view} shown={shown} onChange={setView}>
        {measure ? (
          <label className="row">
            Measure
            <select className="select" value={measure} onChange={(event) => setView({ measure: event.target.value })}>
              {measures.map((name) => <option key={name} value={name}>{name.replaceAll("_", " ")}</option>)}
            </select>
          </label>
        ) : null}
      </WindowsBar>
      {quality.error ? <ErrorNote error={quality.error} /> : null}
      {quality.isPending ? <SkeletonRows /> : null}
      {quality.data && !labelled ? <NoLabels deployment={deployment} answered={answered} /> : null}
      {measure ? (
        <div className="chart-pages">
          <Section title={`${wordOf(measure)} over time`}>
            <TimeChart
              label={`${measure} over time`}
              series={lines.measure}
              thresholds={ruleThresholds(rules.data, isRule)}
              spans={alertSpans(alerts.data, rows[0]?.length_ms ?? 0, (name) => rules.data?.some((rule) => rule.name === name && isRule(rule)) ?? false)}
              marks={shown.marks}
              syncKey="quality"
            />
          </Section>
          <Section title="Labels that have come">
            <p>
              <strong>{formatCount(labelled)}</strong> of {formatCount(answered)} answered rows have a label ({formatShare(labelled / Math.max(1, answered))}). Labels come later than answers: what the newest windows show may still change.
            </p>
            <TimeChart label="Share of rows with a label over time" series={lines.labelled} marks={shown.marks} format={formatShare} height={140} syncKey="quality" />
          </Section>
          <Section title="By window">
            <div className="scroll-x" tabIndex={0} role="region" aria-label="Quality by window">
              <table className="table inset" aria-label="Quality by window">
                <thead>
                  <tr>
                    <th>Window</th>
                    <th>Version</th>
                    <th className="number">Rows</th>
                    <th className="number">Labels</th>
                    <th className="number">Part</th>
                    {measures.map((name) => <th key={name} className="number">{name.replaceAll("_", " ")}</th>)}
                  </tr>
                </thead>
                <tbody>
                  {[...rows].sort((a, b) => b.start_ms - a.start_ms).map((row) => (
                    <tr key={`${row.start_ms} ${lineLabel(row)}`} data-current={String(row.start_ms) === view.window}>
                      <td className="nowrap">{nameOf(row.start_ms)}</td>
                      <td className="nowrap">{lineLabel(row)}</td>
                      <td className="number">{formatCount(row.rows)}</td>
                      <td className="number">{formatCount(row.labelled)}</td>
                      <td className="number nowrap">{row.rows ? formatShare(row.labelled / row.rows) : "–"}</td>
                      {measures.map((name) => <td key={name} className="number">{row.measures[name] === undefined ? "–" : formatNumber(Number(row.measures[name].toPrecision(4)))}</td>)}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </Section>
        </div>
      ) : null}
    </>
  );
}

const wordOf = (measure: string) => measure.charAt(0).toUpperCase() + measure.slice(1).replaceAll("_", " ");

function NoLabels({ deployment, answered }: { deployment: Deployment; answered: number }) {
  const project = useProject();
  const url = `${trackingUri(project)}/api/v1/deployments/${deployment.name}/labels`;
  return (
    <Empty title="No labels yet">
      <p>{answered ? `${formatCount(answered)} rows were answered. ` : ""}Send what should have been answered when it is known, by the request id of the answer or by your own; quality is worked out for the window of the request.</p>
      <Snippet label="Copy lines that send a label" code={`curl ${url} -H 'content-type: application/json' \\\n  -d '{"labels": [{"request_id": "…", "row": 0, "label": 1}]}'`} />
    </Empty>
  );
}
