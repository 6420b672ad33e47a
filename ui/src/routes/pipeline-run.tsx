import { useQueries, useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Ban, Hand, Play, RotateCcw } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { isAbsent } from "../api/http";
import { pipelines, type Job, type PipelineRun, type PipelineRunDetail } from "../api/pipelines";
import { LiveDot } from "../app/live-dot";
import { AppLink, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanManage, useCanWrite, useWhoAmI } from "../app/session";
import { writeView } from "../app/url-state";
import { Button } from "../components/button";
import { Dag } from "../components/dag";
import { FormDialog } from "../components/dialog";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { Segmented } from "../components/fields";
import { formatDateTime } from "../components/format";
import { PageHead } from "../components/page";
import { Ago, Duration } from "../components/time";
import { Timeline } from "../components/timeline";
import { notify, notifyError } from "../components/toast";
import { WorkStatus } from "../components/work-state";
import { ApprovalContext } from "../features/pipelines/approval-context";
import { approvedWords, askedOf } from "../features/pipelines/approval-list";
import { DataPins } from "../features/pipelines/data-pins";
import { DecideButtons } from "../features/pipelines/decide";
import { JobPanel } from "../features/pipelines/job-panel";
import "../features/pipelines/pipelines.css";
import { approvalsQuery, attemptsQuery, codeCommitQuery, pipelineQuery, pipelineRunQuery } from "../features/pipelines/queries";
import { dagOf, failedElsewhere, hasBegun, isOngoing, jobToShow, labelOf, timelineRows, triggerWords, workState } from "../features/pipelines/states";
import { usePipelineChanges } from "../features/pipelines/use-pipeline-changes";
import { useStartRefusal } from "../features/pipelines/use-start-refusal";
import { pipelineRunView } from "../features/pipelines/view";
import "../features/run/run.css";

export default function PipelineRunPage() {
  const project = useProject();
  const { id = "" }: { id?: string } = useParams({ strict: false });
  const reload = usePipelineChanges(project);
  const found = useQuery(pipelineRunQuery(project, id));
  if (found.data) return <LoadedRun key={id} detail={found.data} onChanged={reload} />;
  const isGone = isAbsent(found.error);
  return (
    <>
      <PageHead title="Pipeline run" heading={id} crumbs={<AppLink href={paths.pipelines(project)}>Pipelines</AppLink>} />
      <div className="page-body">
        {found.isPending ? <SkeletonRows /> : null}
        {isGone ? <Empty title="There is no such pipeline run"><p>{found.error?.message} in project {project}. <AppLink href={paths.pipelines(project)}>See all pipelines</AppLink>.</p></Empty> : null}
        {found.error && !isGone ? <ErrorNote error={found.error} /> : null}
      </div>
    </>
  );
}

function LoadedRun({ detail, onChanged }: { detail: PipelineRunDetail; onChanged: () => Promise<void> }) {
  const { run, jobs, graph } = detail;
  const project = useProject();
  const [view, setView] = useView(pipelineRunView);
  const title = `${run.pipeline} #${run.number}`;
  const shown = useShownJob(jobs, view.job);
  const failed = failedElsewhere(jobs, shown);
  const hrefOf = useJobHref(run.id);
  return (
    <>
      <PageHead
        title={title}
        heading={<>{title}<span className="head-status"><WorkStatus state={workState(run.status)} /></span></>}
        crumbs={
          <>
            <AppLink href={paths.pipelines(project)}>Pipelines</AppLink>
            <span aria-hidden="true">/</span>
            <AppLink href={paths.pipeline(project, run.pipeline)}>{run.pipeline}</AppLink>
          </>
        }
      >
        {isOngoing(run) ? <LiveDot /> : null}
        <RunButtons detail={detail} onChanged={onChanged} />
      </PageHead>
      <div className="page-body stack">
        <RunFacts run={run} />
        <Waiting runId={run.id} jobs={jobs} onDone={onChanged} />
        <div className="row">
          <Segmented label="How to draw the jobs" value={view.draw} options={[{ value: "graph", label: "Graph" }, { value: "timeline", label: "Timeline" }]} onChange={(draw) => setView({ draw }, { replace: true })} />
        </div>
        {view.draw === "graph" ? <Graph detail={detail} current={shown?.job} /> : <Gantt detail={detail} current={shown?.job} />}
        {failed ? <p className="note in-text" role="status"><strong>{labelOf(failed)}</strong> failed. <AppLink href={hrefOf(failed.job)}>Show it</AppLink></p> : null}
        {shown ? <JobPanel key={shown.job} run={run} job={shown} cells={jobs.filter(({ name }) => name === shown.name)} isApproval={graph.some(({ name, action }) => name === shown.name && action === "approval")} /> : null}
      </div>
    </>
  );
}

/** What was shown first stays, once there is something to read: what happens elsewhere does not take the page from its reader. */
function useShownJob(jobs: readonly Job[], wanted: string | undefined): Job | undefined {
  const held = useRef<string>(undefined);
  const shown = jobToShow(jobs, wanted ?? held.current);
  const name = shown && wanted === undefined && hasBegun(shown) ? shown.job : undefined;
  useEffect(() => {
    held.current ??= name;
  }, [name]);
  return shown;
}

function RunButtons({ detail: { run, needs_maintainer: needsMaintainer }, onChanged }: { detail: PipelineRunDetail; onChanged: () => Promise<void> }) {
  const project = useProject();
  const canWrite = useCanWrite();
  const { actor } = useWhoAmI();
  const retryRefusal = useStartRefusal(needsMaintainer);
  const cancelRefusal = run.actor === actor.name ? undefined : retryRefusal;
  const [isAsking, setAsking] = useState(false);
  const [isBusy, setBusy] = useState(false);
  if (!canWrite) return null;
  const cancel = async () => {
    await pipelines.cancel(project, run.id);
    notify(`${run.pipeline} #${run.number} is being cancelled`);
    await onChanged();
  };
  const retry = async () => {
    setBusy(true);
    try {
      await pipelines.retry(project, run.id);
      notify("What did not succeed is done again; what did stays");
      await onChanged();
    } catch (error) {
      notifyError(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {isOngoing(run) && cancelRefusal ? <span className="secondary">{cancelRefusal}.</span> : null}
      {isOngoing(run) ? null : <RunAgain run={run} />}
      {run.status === "failed" || run.status === "canceled" ? <Button icon={<RotateCcw size={14} />} disabled={isBusy || retryRefusal !== undefined} title={retryRefusal} onClick={() => void retry()}>{run.status === "failed" ? "Retry from failed" : "Retry what was cancelled"}</Button> : null}
      {isOngoing(run) ? <Button variant="danger" icon={<Ban size={14} />} disabled={run.is_canceled || cancelRefusal !== undefined} title={cancelRefusal} onClick={() => setAsking(true)}>{run.is_canceled ? "Being cancelled" : "Cancel…"}</Button> : null}
      {isAsking ? (
        <FormDialog
          open
          danger
          onOpenChange={setAsking}
          title={`Cancel ${run.pipeline} #${run.number}?`}
          about="Jobs that run are told to end, and are ended when they do not; what has not begun never will. What succeeded stays, and a retry goes on from there."
          action="Cancel the run"
          onSubmit={cancel}
        />
      ) : null}
    </>
  );
}

/** The form on the pipeline's page; what begins there is the pipeline as it is now, not as it was in this run. */
function RunAgain({ run }: { run: PipelineRun }) {
  const project = useProject();
  const canManage = useCanManage();
  // Who may start whatever there is need not know.
  const pipeline = useQuery({ ...pipelineQuery(project, run.pipeline), enabled: !canManage });
  const refusal = useStartRefusal(pipeline.data?.pipeline.needs_maintainer ?? false);
  const icon = <Play size={14} aria-hidden="true" />;
  if (refusal) return <Button icon={icon} disabled title={refusal}>Run again…</Button>;
  return <AppLink className="button" href={paths.pipeline(project, run.pipeline, { start: "1", from: run.id })}>{icon}Run again…</AppLink>;
}

function RunFacts({ run }: { run: PipelineRun }) {
  const project = useProject();
  const code = useQuery({ ...codeCommitQuery(project, run.id), enabled: run.code_id != null });
  const params = Object.entries(run.params);
  const facts: [string, ReactNode][] = [
    ["Started by", <Trigger run={run} />],
    ["Asked for", <span title={formatDateTime(run.created_at_ms)}><Ago atMs={run.created_at_ms} /></span>],
    [isOngoing(run) ? "Runs for" : "Took", run.started_at_ms != null ? <Duration startMs={run.started_at_ms} endMs={run.ended_at_ms ?? undefined} /> : undefined],
    ["Ended", run.ended_at_ms != null ? formatDateTime(run.ended_at_ms) : undefined],
    ["Parameters", params.length ? <span className="mono">{params.map(([key, value]) => `${key}=${value}`).join(" ")}</span> : undefined],
    ["Code", code.data ? <span title={`${code.data.repository}@${code.data.commit}`}>{code.data.repository} <code>{code.data.commit.slice(0, 12)}</code></span> : undefined],
    ["Data", Object.keys(run.pins).length ? <DataPins pins={run.pins} /> : undefined],
  ];
  return (
    <>
      <dl className="pipeline-facts">
        {facts.map(([label, value]) => (value ? <div key={label}><dt>{label}</dt><dd>{value}</dd></div> : null))}
      </dl>
      {run.reason ? <p className={run.status === "failed" ? "job-reason failed" : "job-reason"}>{run.reason}</p> : null}
    </>
  );
}

/** What started it, with a link to that where it has a page. */
function Trigger({ run }: { run: PipelineRun }) {
  const project = useProject();
  const { repository, commit, model, version } = run.trigger_detail as Record<string, string | undefined>;
  if (run.trigger === "data_commit" && repository && commit) return <AppLink href={paths.commit(project, repository, commit)}>{triggerWords(run)}</AppLink>;
  if (run.trigger === "model_alias" && model && version) return <AppLink href={paths.version(project, model, String(version))}>{triggerWords(run)}</AppLink>;
  return triggerWords(run);
}

/** Every job of the run that waits for people, with the buttons to decide. */
function Waiting({ runId, jobs, onDone }: { runId: string; jobs: readonly Job[]; onDone: () => Promise<void> }) {
  const project = useProject();
  const isWaiting = jobs.some(({ status }) => status === "awaiting_approval");
  const approvals = useQuery({ ...approvalsQuery(project), enabled: isWaiting });
  const { refetch, data } = approvals;
  const own = isWaiting ? (data?.approvals.filter((approval) => approval.pipeline_run_id === runId) ?? []) : [];
  // What was asked a while ago may not know yet of what waits now.
  const isMissing = isWaiting && data !== undefined && !own.length;
  useEffect(() => {
    if (isMissing) void refetch();
  }, [isMissing, refetch]);
  return own.map((approval) => (
    <section key={approval.job} className="waiting-note" aria-label={`Approval of ${approval.job}`}>
      <Hand size={16} aria-hidden="true" />
      <span><strong>{approval.job}</strong> waits for approval since <Ago atMs={approval.since_ms} />, until {formatDateTime(approval.until_ms)}: {approvedWords(approval)} approved.</span>
      <span className="push"><DecideButtons asked={askedOf(approval)} onDone={onDone} /></span>
      <ApprovalContext runId={runId} job={approval.job} isOnRun />
    </section>
  ));
}

interface DrawProps {
  detail: PipelineRunDetail;
  current: string | undefined;
}

/** The address of the same page with another job. */
function useJobHref(runId: string): (job: string) => string {
  const project = useProject();
  const [view] = useView(pipelineRunView);
  return useMemo(() => (job) => paths.pipelineRun(project, runId, writeView(pipelineRunView, { ...view, job, attempt: 0, find: "" })), [project, runId, view]);
}

function Graph({ detail: { run, graph, jobs }, current }: DrawProps) {
  const hrefOf = useJobHref(run.id);
  const { nodes, edges, nodeOf } = useMemo(() => dagOf(graph, jobs, hrefOf), [graph, jobs, hrefOf]);
  return <Dag label={`Graph of ${run.pipeline} #${run.number}`} nodes={nodes} edges={edges} current={current && nodeOf(current)} />;
}

/** Attempts before the newest are asked for only where there are some, and not of a whole wide matrix. */
const retriedAtMost = 30;

function Gantt({ detail: { run, jobs }, current }: DrawProps) {
  const project = useProject();
  const hrefOf = useJobHref(run.id);
  const nowMs = useNow(isOngoing(run));
  const retried = jobs.filter(({ attempt }) => attempt > 1).slice(0, retriedAtMost);
  const attempts = useQueries({ queries: retried.map(({ job, attempt, status }) => attemptsQuery(project, run.id, job, attempt, status)) });
  const attemptsOf = (job: string) => attempts[retried.findIndex((each) => each.job === job)]?.data?.attempts;
  return <Timeline label={`Jobs of ${run.pipeline} #${run.number} over time`} rows={timelineRows(jobs, attemptsOf, hrefOf)} nowMs={nowMs} current={current} />;
}

/** The time, moving each second while `isMoving`. */
function useNow(isMoving: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!isMoving) return;
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isMoving]);
  return now;
}
