import { useQueries, useQuery } from "@tanstack/react-query";
import { CircleAlert, Info, Plus, RefreshCw, Settings2, Trash2, TriangleAlert } from "lucide-react";
import { useState } from "react";
import { native, type Alert, type AlertRule, type Deployment, type Severity } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { useCanWrite } from "../../app/session";
import { Button, IconButton } from "../../components/button";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatCount, formatWindow, plural } from "../../components/format";
import { parseName } from "../../components/names";
import { Section } from "../../components/page";
import { Ago } from "../../components/time";
import { notify, notifyError } from "../../components/toast";
import { formatShare } from "../deployments/roles";
import { pipelineRunQuery } from "../pipelines/queries";
import { alertsQuery, rulesQuery, settingsQuery } from "./queries";
import { DeleteRule, NewRule } from "./rule-dialogs";
import { allowedWords, conditionOf, lengthWords, tabOf, valueWords } from "./rules";
import { ChangeSettings } from "./settings-dialog";

const looks = { info: { word: "Info", Icon: Info }, warning: { word: "Warning", Icon: TriangleAlert }, critical: { word: "Critical", Icon: CircleAlert } } as const;

export function SeverityMark({ severity }: { severity: Severity }) {
  const { word, Icon } = looks[severity] ?? looks.warning;
  return <span className={`severity ${severity}`}><Icon size={14} aria-hidden="true" />{word}</span>;
}

/** The server lists no more. */
const alertsAtMost = 500;

/** Rules, what they raised, and the pipeline runs that began because of it. */
export function AlertsTab({ deployment, onChanged }: { deployment: Deployment; onChanged: () => Promise<void> }) {
  const project = useProject();
  const canWrite = useCanWrite();
  const [isMaking, setMaking] = useState(false);
  const [isChanging, setChanging] = useState(false);
  const [going, setGoing] = useState<AlertRule>();
  const rules = useQuery(rulesQuery(project, deployment.name));
  const alerts = useQuery(alertsQuery(project, deployment.name));
  const settings = useQuery(settingsQuery(project, deployment.name));
  const check = async () => {
    try {
      const { windows, raised, resolved } = await native.checkAlerts(project, deployment.name);
      notify(`${plural(windows, "window")} checked: ${raised.length} raised, ${resolved.length} resolved`);
      await onChanged();
    } catch (error) {
      notifyError(error);
    }
  };
  const open = alerts.data?.filter((alert) => alert.resolved_at_ms === undefined).length ?? 0;
  const isCut = alerts.data !== undefined && alerts.data.length >= alertsAtMost;
  return (
    <div className="chart-pages">
      <Section
        title="Alerts"
        count={isCut ? undefined : alerts.data?.length}
        actions={
          <>
            {alerts.data ? <span className={open ? "bad-word" : "muted"}>{open ? `${open} open` : "none is open"}{isCut ? ` of the newest ${formatCount(alertsAtMost)}` : ""}</span> : null}
            {canWrite ? <Button size="small" icon={<RefreshCw size={13} />} title="Rules are applied every few seconds anyway" onClick={() => void check()}>Check now</Button> : null}
          </>
        }
      >
        {alerts.error ? <ErrorNote error={alerts.error} /> : null}
        {alerts.isPending ? <SkeletonRows count={3} /> : null}
        {alerts.data && !alerts.data.length ? <p className="muted">Nothing was raised{rules.data?.length ? "" : ": there is no rule yet"}.</p> : null}
        {alerts.data?.length ? <AlertTable deployment={deployment.name} alerts={alerts.data} rules={rules.data ?? []} /> : null}
      </Section>
      <Section title="Rules" count={rules.data?.length} actions={canWrite ? <Button size="small" icon={<Plus size={13} />} onClick={() => setMaking(true)}>New rule</Button> : undefined}>
        {rules.error ? <ErrorNote error={rules.error} /> : null}
        {rules.data && !rules.data.length ? <p className="muted">A rule looks at each window of traffic: drift, errors, latency, quality, rows. A pipeline can start when one about drift raises an alert (about others with <code>metrics</code>): <code>on: {`{ drift_alert: { deployment: ${deployment.name} } }`}</code></p> : null}
        {rules.data?.length ? (
          <table className="table inset" aria-label="Alert rules">
            <thead>
              <tr>
                <th>Name</th>
                <th>Raised when</th>
                <th>Severity</th>
                <th className="number">From rows</th>
                <th className="number">Quiet after an alert</th>
                <th><span className="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {rules.data.map((rule) => (
                <tr key={rule.id}>
                  <td>{rule.name}</td>
                  <td>{conditionOf(rule)}</td>
                  <td><SeverityMark severity={rule.severity} /></td>
                  <td className="number">{rule.min_rows}</td>
                  <td className="number nowrap">{rule.cool_down_ms ? lengthWords(rule.cool_down_ms) : "–"}</td>
                  <td className="actions-cell">{canWrite ? <IconButton size="small" label={`Delete rule ${rule.name}`} icon={<Trash2 size={13} />} onClick={() => setGoing(rule)} /> : null}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : null}
      </Section>
      {settings.data ? (
        <Section title="Monitoring" actions={canWrite ? <Button size="small" icon={<Settings2 size={13} />} onClick={() => setChanging(true)}>Change…</Button> : undefined}>
          <p className="secondary">
            A window is {lengthWords(settings.data.window_ms)} long; of {formatShare(settings.data.sample_share)} of the requests the rows are kept, for {lengthWords(settings.data.retention_ms)}.
            {settings.data.allows_replay ? " Clients may say when a request was made." : ""}
          </p>
        </Section>
      ) : null}
      {isChanging && settings.data ? <ChangeSettings deployment={deployment.name} settings={settings.data} onOpenChange={() => setChanging(false)} onDone={onChanged} /> : null}
      {isMaking ? <NewRule deployment={deployment.name} onOpenChange={() => setMaking(false)} onDone={onChanged} /> : null}
      {going ? <DeleteRule deployment={deployment.name} rule={going} onOpenChange={() => setGoing(undefined)} onDone={onChanged} /> : null}
    </div>
  );
}

const startedAtMost = 20;

function AlertTable({ deployment, alerts, rules }: { deployment: string; alerts: Alert[]; rules: AlertRule[] }) {
  const project = useProject();
  const windows = [...new Set(alerts.map((alert) => alert.window_start_ms))].slice(0, startedAtMost);
  const lineages = useQueries({
    queries: windows.map((startMs) => {
      const name = `${project}/window/${deployment}/${startMs}`;
      return { queryKey: ["deployments", project, "started", name], queryFn: ({ signal }: { signal: AbortSignal }) => native.lineage(project, { name, direction: "down", depth: 1 }, signal) };
    }),
  });
  const startedOf = (startMs: number) => lineages[windows.indexOf(startMs)]?.data?.nodes.filter(({ kind, depth }) => kind === "pipeline-run" && depth > 0) ?? [];
  return (
    <table className="table inset" aria-label="Alerts">
      <thead>
        <tr>
          <th>Rule</th>
          <th>Severity</th>
          <th>State</th>
          <th className="number">Seen</th>
          <th className="number">Allowed</th>
          <th>From window</th>
          <th>Until window</th>
          <th className="number">Raised</th>
          <th>Pipeline runs that it started</th>
        </tr>
      </thead>
      <tbody>
        {alerts.map((alert) => {
          const rule = rules.find(({ name }) => name === alert.rule);
          const started = startedOf(alert.window_start_ms);
          const window = (startMs: number) => <AppLink href={paths.deployment(project, deployment, { tab: tabOf(rule?.metric), window: String(startMs) })}>{formatWindow(startMs)}</AppLink>;
          return (
            <tr key={alert.id}>
              <td>{alert.rule}</td>
              <td><SeverityMark severity={alert.severity} /></td>
              <td className={alert.resolved_at_ms === undefined ? "bad-word" : "secondary"}>{alert.resolved_at_ms === undefined ? "Open" : <>Resolved <Ago atMs={alert.resolved_at_ms} /></>}</td>
              <td className="number nowrap">{valueWords(rule?.metric, alert.value)}</td>
              <td className="number nowrap">{allowedWords(rule, alert.threshold)}</td>
              <td className="nowrap">{window(alert.window_start_ms)}</td>
              <td className="nowrap" title="The window in which the condition held no more">{alert.resolved_window_start_ms === undefined ? <span className="muted">{alert.resolved_at_ms === undefined ? "–" : "rule deleted"}</span> : window(alert.resolved_window_start_ms)}</td>
              <td className="number secondary"><Ago atMs={alert.raised_at_ms} /></td>
              <td>{started.length ? <span className="row wrap">{started.map(({ name }) => <StartedRun key={name} id={parseName(name).id} />)}</span> : <span className="muted">–</span>}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function StartedRun({ id }: { id: string }) {
  const project = useProject();
  const { data } = useQuery({ ...pipelineRunQuery(project, id), refetchInterval: false });
  return <AppLink className="nowrap" href={paths.pipelineRun(project, id)}>{data ? `${data.run.pipeline} #${data.run.number}` : `pipeline run ${id.slice(-8)}`}</AppLink>;
}
