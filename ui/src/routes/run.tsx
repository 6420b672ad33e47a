import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Boxes, Ellipsis, Pencil, RotateCcw, Trash2 } from "lucide-react";
import { useMemo, useState } from "react";
import { ApiError } from "../api/http";
import { mlflow, type Run } from "../api/mlflow";
import { LiveDot } from "../app/live-dot";
import { AppLink, useProject, useSearchParams, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanManage, useCanWrite } from "../app/session";
import { writeView } from "../app/url-state";
import type { ChartRun } from "../charts/metric-chart";
import { MetricGrid, metricGridFields } from "../charts/metric-grid";
import { isSystemMetric } from "../charts/metric-groups";
import { runColor } from "../charts/run-style";
import { Button, IconButton } from "../components/button";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { shortId } from "../components/format";
import { Menu, MenuItem, MenuLine } from "../components/menu";
import { PageHead } from "../components/page";
import { Status } from "../components/status";
import { Swatch } from "../components/swatch";
import { notify, notifyError } from "../components/toast";
import { experimentQuery } from "../features/experiments/queries";
import { LineagePanel } from "../features/lineage/lineage-panel";
import { Artifacts } from "../features/run/artifacts";
import { CodePopover } from "../features/run/code-popover";
import { DeleteRun, RegisterModel, RenameRun, type ModelSource } from "../features/run/dialogs";
import { useModelSources } from "../features/run/in-and-out";
import { isOngoing, useLiveRun } from "../features/run/live";
import { Overview } from "../features/run/overview";
import { runQuery } from "../features/run/queries";
import { tagOf } from "../features/run/snippets";
import { neighbourhoodView, tabView, type RunTab } from "../features/run/view";
import "../features/run/run.css";

type Asked = "rename" | "delete" | { register: ModelSource[] };

export default function RunPage() {
  const project = useProject();
  const { runId = "" }: { runId?: string } = useParams({ strict: false });
  const client = useQueryClient();
  const run = useQuery(runQuery(project, runId));
  const isAway = useLiveRun(project, runId, run.data?.info.status);
  const reload = () => void client.invalidateQueries({ queryKey: runQuery(project, runId).queryKey });

  if (run.data) return <LoadedRun key={runId} run={run.data} isAway={isAway} onChanged={reload} />;
  const isAbsent = run.error instanceof ApiError && run.error.status === 404;
  return (
    <>
      <PageHead title="Run" heading={runId} />
      <div className="page-body">
        {run.isPending ? <SkeletonRows /> : null}
        {isAbsent ? <Empty title="There is no such run"><p>{run.error?.message} in project {project}. <AppLink href={paths.runs(project)}>See all runs</AppLink>.</p></Empty> : null}
        {run.error && !isAbsent ? <ErrorNote error={run.error} /> : null}
      </div>
    </>
  );
}

function LoadedRun({ run, isAway, onChanged }: { run: Run; isAway: boolean; onChanged: () => void }) {
  const project = useProject();
  const canWrite = useCanWrite();
  const canManage = useCanManage();
  const [{ tab }] = useView(tabView);
  const [asked, setAsked] = useState<Asked>();
  const { info } = run;
  const experiment = useQuery(experimentQuery(project, info.experiment_id));
  const sources = useModelSources(run);
  const isDeleted = info.lifecycle_stage === "deleted";
  const mayChange = canWrite && !isDeleted;
  const name = info.run_name || info.run_id;
  const close = () => setAsked(undefined);
  const restore = async () => {
    try {
      await mlflow.restoreRun(project, info.run_id);
      notify(`Run ${name} was restored`);
      onChanged();
    } catch (error) {
      notifyError(error);
    }
  };

  return (
    <>
      <PageHead
        title={name}
        heading={
          <>
            <Swatch runId={info.run_id} />
            <span className="ellipsis" title={name}>{name}</span>
            <span className="head-status"><Status status={info.status} /></span>
          </>
        }
        crumbs={<Crumbs run={run} experimentName={experiment.data?.name} />}
      >
        {isOngoing(info.status) && !isDeleted ? <LiveDot isAway={isAway} /> : null}
        <CodePopover run={run} sources={sources} />
        {mayChange ? <Button icon={<Boxes size={14} />} onClick={() => setAsked({ register: sources })}>Register model</Button> : null}
        {mayChange ? (
          <Menu align="end" trigger={<IconButton variant="plain" label="More actions" icon={<Ellipsis size={15} />} />}>
            <MenuItem icon={<Pencil size={14} />} onSelect={() => setAsked("rename")}>Rename…</MenuItem>
            {canManage ? (
              <>
                <MenuLine />
                <MenuItem icon={<Trash2 size={14} />} danger onSelect={() => setAsked("delete")}>Delete…</MenuItem>
              </>
            ) : null}
          </Menu>
        ) : null}
      </PageHead>
      {isDeleted ? (
        <div className="run-deleted">
          <span>This run is deleted: lists leave it out and it takes no more points.</span>
          {canManage ? <Button size="small" icon={<RotateCcw size={13} />} onClick={() => void restore()}>Restore</Button> : null}
        </div>
      ) : null}
      <Tabs run={run} tab={tab} />
      <div className={tab === "artifacts" ? "page-body flush" : "page-body"}>
        {tab === "overview" ? (
          <Overview run={run} experimentName={experiment.data?.name} sources={sources} canWrite={mayChange} onChanged={onChanged} onRegister={(source) => setAsked({ register: [source] })} />
        ) : null}
        {tab === "charts" || tab === "system" ? <Charts run={run} isSystem={tab === "system"} /> : null}
        {tab === "artifacts" ? <Artifacts run={run} sources={sources} canWrite={mayChange} onRegister={(source) => setAsked({ register: [source] })} /> : null}
        {tab === "lineage" ? <Neighbourhood name={`${project}/run/${info.run_id}`} /> : null}
      </div>
      {asked === "rename" ? <RenameRun run={run} onOpenChange={close} onDone={onChanged} /> : null}
      {asked === "delete" ? <DeleteRun run={run} onOpenChange={close} onDone={onChanged} /> : null}
      {typeof asked === "object" ? <RegisterModel runId={info.run_id} sources={asked.register} onOpenChange={close} onDone={onChanged} /> : null}
    </>
  );
}

function Crumbs({ run, experimentName }: { run: Run; experimentName: string | undefined }) {
  const project = useProject();
  const parentId = tagOf(run, "mlflow.parentRunId");
  const parent = useQuery({ ...runQuery(project, parentId ?? ""), enabled: parentId !== undefined });
  return (
    <>
      <AppLink href={paths.runs(project, { exp: run.info.experiment_id })}>{experimentName ?? `experiment ${run.info.experiment_id}`}</AppLink>
      {parentId ? (
        <>
          <span aria-hidden="true">/</span>
          <AppLink href={paths.run(project, parentId)} title="The run that this one is nested in">{parent.data?.info.run_name || shortId(parentId)}</AppLink>
        </>
      ) : null}
    </>
  );
}

function Tabs({ run, tab }: { run: Run; tab: RunTab }) {
  const project = useProject();
  const search = useSearchParams();
  const system = run.metrics.filter((metric) => isSystemMetric(metric.key)).length;
  const tabs: [RunTab, string, number | undefined][] = [
    ["overview", "Overview", undefined],
    ["charts", "Charts", run.metrics.length - system],
    ["system", "System metrics", system],
    ["artifacts", "Files", undefined],
    ["lineage", "Lineage", undefined],
  ];
  return (
    <nav className="tabs" aria-label="Parts of the run">
      {tabs.map(([id, label, count]) => (
        <AppLink key={id} href={paths.run(project, run.info.run_id, writeView(tabView, { tab: id }, search))} aria-current={id === tab ? "page" : undefined}>
          {label}
          {count === undefined ? null : <span className="count">{count.toLocaleString("en-US")}</span>}
        </AppLink>
      ))}
    </nav>
  );
}

function Charts({ run, isSystem }: { run: Run; isSystem: boolean }) {
  const [view, setView] = useView(metricGridFields);
  const { run_id: runId, run_name: name, start_time: startMs } = run.info;
  const runs: ChartRun[] = useMemo(() => [{ runId, label: name || runId, color: runColor(runId), dash: 0, startMs }], [runId, name, startMs]);
  // A new point changes the metrics, but the list of their names seldom.
  const names = JSON.stringify(run.metrics.map((metric) => metric.key).filter((key) => isSystemMetric(key) === isSystem).sort());
  const keys = useMemo(() => JSON.parse(names) as string[], [names]);
  if (!keys.length) {
    return isSystem ? (
      <Empty title="No system metrics"><p>Switch them on before the run starts: <code>mlflow.enable_system_metrics_logging()</code></p></Empty>
    ) : (
      <Empty title="No metrics"><p>Metrics logged with <code>mlflow.log_metric</code> are drawn here as they come.</p></Empty>
    );
  }
  return <MetricGrid keys={keys} runs={runs} view={view} onChange={setView} />;
}

function Neighbourhood({ name }: { name: string }) {
  const [view, setView] = useView(neighbourhoodView);
  return <LineagePanel name={name} direction={view.direction} depth={view.depth} onChange={setView} />;
}
