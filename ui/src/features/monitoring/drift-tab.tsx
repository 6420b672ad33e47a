import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { ColumnDrift, Deployment, Drift } from "../../api/native";
import { AppLink, useProject, useSearchParams, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { useCanWrite } from "../../app/session";
import { writeView } from "../../app/url-state";
import { BarList } from "../../charts/bar-list";
import TimeChart from "../../charts/time-chart";
import { Button } from "../../components/button";
import { Empty, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { Segmented } from "../../components/fields";
import { formatCount, plural, windowFormat } from "../../components/format";
import { Section } from "../../components/page";
import { Ago } from "../../components/time";
import { formatShare } from "../deployments/roles";
import { ColumnDetail } from "./column-detail";
import { alertsQuery, driftQuery, rulesQuery } from "./queries";
import { SetReference } from "./reference-dialog";
import { alertSpans, driftLines, driftShareLine, mostDrifted, psiOf, psiThreshold, ruleThresholds } from "./series";
import { driftView } from "./view";
import { isSpan, useWindows } from "./windows";
import { WindowsBar } from "./windows-bar";

const linesAtMost = 6;

/** How far inputs and outputs are from the reference, by window. */
export function DriftTab({ deployment, onChanged }: { deployment: Deployment; onChanged: () => Promise<void> }) {
  const project = useProject();
  const canWrite = useCanWrite();
  const [view, setView] = useView(driftView);
  const [isSetting, setSetting] = useState(false);
  const shown = useWindows(view, (query) => driftQuery(project, deployment.name, query));
  const drift = shown.found;
  const windows = drift.data?.windows ?? [];
  const window = windows.find(({ start_ms }) => String(start_ms) === view.window) ?? windows.at(-1);
  const set = canWrite ? <Button size="small" onClick={() => setSetting(true)}>{drift.data?.reference ? "Change reference…" : "Set reference…"}</Button> : null;
  return (
    <>
      <WindowsBar deployment={deployment} view={view} shown={shown} onChange={setView}>
        <Segmented label="Columns" value={view.part} options={[{ value: "input", label: "Inputs" }, { value: "output", label: "Outputs" }]} onChange={(part) => setView({ part, column: undefined })} />
        <span className="row push">{drift.data?.reference ? <ReferenceLine reference={drift.data.reference} /> : null}{set}</span>
      </WindowsBar>
      {drift.error ? <ErrorNote error={drift.error} /> : null}
      {drift.isPending ? <SkeletonRows /> : null}
      {drift.data && !drift.data.reference ? (
        <Empty title="Nothing to compare with yet">
          <p>Windows of traffic are compared with a reference: the data that the model learnt from, found by lineage when its run read it from a repository; a window of traffic; or files of a repository.</p>
          <div>{set}</div>
        </Empty>
      ) : null}
      {drift.data?.reference && !window ? <Empty title={isSpan(view) ? "No rows in this time" : "No rows yet"}><p>The rows of requests are compared as they come.</p></Empty> : null}
      {drift.data?.reference && window ? <Shown deployment={deployment} drift={drift.data} window={window} /> : null}
      {isSetting ? <SetReference deployment={deployment} windows={windows} onOpenChange={() => setSetting(false)} onDone={onChanged} /> : null}
    </>
  );
}

function ReferenceLine({ reference }: { reference: NonNullable<Drift["reference"]> }) {
  const project = useProject();
  const [, repository, commit, path] = /^([^@/]+)@([^/]+)\/(.*)$/.exec(reference.source) ?? [];
  return (
    <span className="secondary">
      Reference:{" "}
      {repository && commit ? <AppLink href={paths.commit(project, repository, commit)} title={reference.source}>{repository}@{commit.slice(0, 8)}{path ? `/${path}` : ""}</AppLink> : <span title={reference.source}>{reference.source}</span>}
      , {plural(reference.rows, "row")}, set <Ago atMs={reference.created_at_ms} />
    </span>
  );
}

function Shown({ deployment, drift, window }: { deployment: Deployment; drift: Drift; window: Drift["windows"][number] }) {
  const project = useProject();
  const search = useSearchParams();
  const [view, setView] = useView(driftView);
  const rules = useQuery(rulesQuery(project, deployment.name));
  const alerts = useQuery(alertsQuery(project, deployment.name));
  const columns = window.columns.filter(({ part }) => part === view.part);
  const most = mostDrifted(window.columns, view.part, linesAtMost);
  const current = columns.find(({ name }) => name === view.column) ?? columns.find(({ name }) => name === most[0]);
  const drawn = current && !most.includes(current.name) ? [...most.slice(0, linesAtMost - 1), current.name] : most;
  const lines = useMemo(() => ({ share: [driftShareLine(drift)], columns: driftLines(drift, view.part, drawn) }), [drift, view.part, drawn.join()]);
  const threshold = psiThreshold(drift);
  const isOf = (metric: string) => (name: string) => rules.data?.some((rule) => rule.name === name && rule.metric === metric) ?? false;
  const href = (column: ColumnDrift) => paths.deployment(project, deployment.name, writeView(driftView, { ...view, column: column.name }, search));
  const at = [{ atMs: window.start_ms, label: "this window" }];
  const nameOf = windowFormat(drift.windows.map((each) => each.start_ms));
  return (
    <div className="chart-pages">
      {view.part === "input" ? (
        <Section title="Share of drifted inputs">
          <TimeChart label="Share of drifted inputs over time" series={lines.share} thresholds={ruleThresholds(rules.data, ({ metric }) => metric === "drift_share")} spans={alertSpans(alerts.data, window.length_ms, isOf("drift_share"))} marks={at} format={formatShare} height={150} syncKey="drift" />
        </Section>
      ) : null}
      <Section title={`Drift of each ${view.part} over time`} actions={columns.length > drawn.length ? <span className="muted">the {drawn.length} that drifted most of {columns.length}</span> : undefined}>
        <TimeChart
          label="Population stability index over time"
          series={lines.columns}
          thresholds={[{ value: threshold, label: "drifted from", severity: "warning", raised: "from" }, ...ruleThresholds(rules.data, ({ metric, column }) => metric === "psi" && drawn.includes(column ?? ""))]}
          spans={alertSpans(alerts.data, window.length_ms, isOf("psi"))}
          marks={at}
          syncKey="drift"
        />
      </Section>
      <Section
        title="In one window"
        actions={
          <label className="row">
            Window
            <select className="select" value={window.start_ms} onChange={(event) => setView({ window: event.target.value }, { replace: true })}>
              {[...drift.windows].reverse().map(({ start_ms, rows }) => <option key={start_ms} value={start_ms}>{nameOf(start_ms)}, {plural(rows, "row")}</option>)}
            </select>
          </label>
        }
      >
        <p className="secondary">
          {formatCount(window.rows)} rows{window.drift_share === undefined ? "" : `; ${formatShare(window.drift_share)} of the inputs have drifted`}. Population stability index (PSI); the test that decides stands beside it.
        </p>
        <div className="drift-sides">
          <BarList label="Drift by column" items={columns.map((column) => ({ name: column.name, value: psiOf(column) ?? null, href: href(column), note: noteOf(column) }))} measure="PSI" of="Column" threshold={threshold} current={current?.name} />
          {current ? <ColumnDetail column={current} /> : null}
        </div>
      </Section>
    </div>
  );
}

const testWords: Record<string, string> = { psi: "PSI", ks_p_value: "KS p", chi_squared_p_value: "χ² p", jensen_shannon: "Jensen-Shannon", normed_wasserstein: "Wasserstein" };
export const testWord = (test: string): string => testWords[test] ?? test;

function noteOf({ tests, problems, is_drifted }: ColumnDrift): string {
  const decides = tests.find((test) => test.decides);
  const verdict = decides ? `${is_drifted ? "drifted" : "no drift"} (${testWord(decides.test)} ${decides.value < 0.001 ? "< 0.001" : decides.value.toFixed(3)})` : "";
  return [verdict, problems.length ? plural(problems.length, "problem") : ""].filter(Boolean).join(", ");
}
