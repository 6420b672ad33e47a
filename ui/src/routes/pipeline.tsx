import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Play } from "lucide-react";
import { useEffect, useMemo } from "react";
import type { PipelineDetail, PipelineRun } from "../api/pipelines";
import { AppLink, useGo, useProject, useSearchParams, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanWrite } from "../app/session";
import { writeView } from "../app/url-state";
import { useListKeys } from "../app/use-list-keys";
import { usePageTokens } from "../app/use-page-tokens";
import { Button } from "../components/button";
import { Snippet } from "../components/copy";
import { Dag } from "../components/dag";
import { Empty, LoadingBar, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { Segmented } from "../components/fields";
import { PageHead, PageWait } from "../components/page";
import { Pager } from "../components/pager";
import { Ago, Duration } from "../components/time";
import { stateWord, WorkStatus } from "../components/work-state";
import { DataPins } from "../features/pipelines/data-pins";
import { NextRun } from "../features/pipelines/next-run";
import { PauseButton } from "../features/pipelines/pause-button";
import "../features/pipelines/pipelines.css";
import { notStartedQuery, pipelineQuery, runsQuery } from "../features/pipelines/queries";
import { StartDialog } from "../features/pipelines/start-dialog";
import { dagOfFile, triggerWords, workState } from "../features/pipelines/states";
import { usePipelineChanges } from "../features/pipelines/use-pipeline-changes";
import { useStartRefusal } from "../features/pipelines/use-start-refusal";
import { pipelineView } from "../features/pipelines/view";

export default function PipelinePage() {
  const project = useProject();
  const { name = "" }: { name?: string } = useParams({ strict: false });
  const canWrite = useCanWrite();
  const [view, setView] = useView(pipelineView);
  const reload = usePipelineChanges(project);
  const found = useQuery(pipelineQuery(project, name));
  const refusal = useStartRefusal(found.data?.pipeline.needs_maintainer ?? false);
  const crumbs = <AppLink href={paths.pipelines(project)}>Pipelines</AppLink>;
  if (!found.data) return <PageWait title={name} crumbs={crumbs} error={found.error} />;
  const { pipeline } = found.data;
  return (
    <>
      <PageHead
        title={name}
        heading={<>{name} {pipeline.is_paused ? <span className="chip">paused</span> : null}</>}
        crumbs={crumbs}
      >
        <span className="secondary">{pipeline.triggers.length ? `starts on ${pipeline.triggers.join(", ")}` : "started by hand only"}{pipeline.next_run_at_ms === undefined ? null : <>, next <NextRun pipeline={pipeline} /></>}</span>
        {canWrite && (pipeline.triggers.length || pipeline.is_paused) ? <PauseButton pipeline={pipeline} onDone={reload} /> : null}
        {canWrite && refusal ? <span className="secondary">{refusal}.</span> : null}
        {canWrite ? <Button variant="primary" icon={<Play size={14} />} disabled={refusal !== undefined} title={refusal} onClick={() => setView({ isStarting: true }, { replace: true })}>Run…</Button> : null}
      </PageHead>
      <Tabs name={name} runs={pipeline.runs} />
      {view.tab === "runs" ? <><NotStarted name={name} /><Runs name={name} /></> : null}
      {view.tab === "graph" ? <div className="page-body"><Graph detail={found.data} /></div> : null}
      {view.tab === "file" ? (
        <div className="page-body stack">
          <p className="secondary">Pushed <Ago atMs={pipeline.updated_at_ms} />{pipeline.code_id ? <>, with the code <code title="BLAKE3 of repository, commit and what differed from it">{pipeline.code_id.slice(0, 12)}</code></> : ", without code"}.</p>
          <Snippet code={found.data.file} label="Copy the file" />
        </div>
      ) : null}
      {view.isStarting && canWrite && !refusal ? <StartDialog detail={found.data} from={view.from} onClose={() => setView({ isStarting: false, from: undefined }, { replace: true })} onDone={reload} /> : null}
    </>
  );
}

function Tabs({ name, runs }: { name: string; runs: number }) {
  const project = useProject();
  const search = useSearchParams();
  const [view] = useView(pipelineView);
  const tabs = [["runs", "Runs", runs], ["graph", "Graph", undefined], ["file", "File", undefined]] as const;
  return (
    <nav className="tabs" aria-label="Parts of the pipeline">
      {tabs.map(([tab, label, count]) => (
        <AppLink key={tab} href={paths.pipeline(project, name, writeView(pipelineView, { ...view, tab, isStarting: false, from: undefined }, search))} aria-current={tab === view.tab ? "page" : undefined}>
          {label}
          {count === undefined ? null : <span className="count">{count.toLocaleString("en-US")}</span>}
        </AppLink>
      ))}
    </nav>
  );
}

/** What the file says; each job leads to where it last ran. */
function Graph({ detail: { pipeline, jobs } }: { detail: PipelineDetail }) {
  const project = useProject();
  const newest = useQuery(runsQuery(project, pipeline.name, "", undefined)).data?.runs[0]?.id;
  const { nodes, edges } = useMemo(
    () => dagOfFile(jobs, (job) => (newest ? paths.pipelineRun(project, newest, { job }) : paths.pipeline(project, pipeline.name, { tab: "file" }))),
    [jobs, newest, project, pipeline.name],
  );
  return <Dag label={`Graph of ${pipeline.name}`} nodes={nodes} edges={edges} />;
}

/** What would have started it by itself since its newest run, and why it did not. */
function NotStarted({ name }: { name: string }) {
  const project = useProject();
  const runs = useQuery(runsQuery(project, name, "", undefined)).data?.runs;
  const events = useQuery(notStartedQuery(project, name)).data ?? [];
  const later = runs ? events.filter((event) => event.at_ms >= (runs[0]?.created_at_ms ?? 0)) : [];
  if (!later.length) return null;
  return (
    <div style={{ padding: "20px 20px 0" }}>
      <div className="note error" role="status">
        {later.map((event) => (
          <div key={event.id}>
            Not started by {String(event.detail?.trigger ?? "its trigger").replaceAll("_", " ")} <Ago atMs={event.at_ms} />: {String(event.detail?.reason ?? "")}
          </div>
        ))}
      </div>
    </div>
  );
}

const statuses = [
  { value: "", label: "All" },
  { value: "queued", label: "Queued" },
  { value: "running", label: "Running" },
  { value: "succeeded", label: "Succeeded" },
  { value: "failed", label: "Failed" },
  { value: "canceled", label: "Cancelled" },
] as const;

function Runs({ name }: { name: string }) {
  const project = useProject();
  const go = useGo();
  const [view, setView] = useView(pipelineView);
  const page = useQuery(runsQuery(project, name, view.status, view.pageToken));
  const tokens = usePageTokens(`pipeline-runs/${project}/${name}/${view.status}`);
  const runs = page.data?.runs ?? [];
  const nextToken = page.data?.next_page_token;
  useEffect(() => {
    if (nextToken) tokens.remember(view.page + 1, nextToken);
  }, [nextToken, tokens, view.page]);
  const current = useListKeys({ count: runs.length, onOpen: (index) => go(paths.pipelineRun(project, runs[index]!.id)) });
  return (
    <>
      <div className="toolbar">
        <Segmented label="State" value={view.status} options={statuses} onChange={(status) => setView({ status, page: 1, pageToken: undefined })} />
      </div>
      <div className="page-body flush">
        {page.error ? <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div> : null}
        {page.isPending ? <SkeletonRows /> : null}
        {page.isPlaceholderData ? <LoadingBar /> : null}
        {page.data && !runs.length ? (
          <Empty title={view.status ? `No run is ${stateWord(workState(view.status)).toLowerCase()}` : `${name} has not run yet`}>
            {view.status ? null : <><p>Start it with “Run…” above, or from a terminal:</p><Snippet code={`lathe pipeline run ${name} --wait`} /></>}
          </Empty>
        ) : null}
        {runs.length ? (
          <table className="table sticky">
            <thead>
              <tr>
                <th>Run</th>
                <th>State</th>
                <th>Started by</th>
                <th>Parameters</th>
                <th>Data commits</th>
                <th>Code</th>
                <th className="number">Took</th>
                <th className="number">When</th>
              </tr>
            </thead>
            <tbody>{runs.map((run, index) => <RunRow key={run.id} run={run} isCurrent={index === current} />)}</tbody>
          </table>
        ) : null}
      </div>
      {nextToken || view.page > 1 ? (
        <Pager page={view.page} hasNext={nextToken !== undefined} onPrevious={() => setView(tokens.previous(view.page))} onNext={() => setView({ page: view.page + 1, pageToken: nextToken })} />
      ) : null}
    </>
  );
}

function RunRow({ run, isCurrent }: { run: PipelineRun; isCurrent: boolean }) {
  const project = useProject();
  const params = Object.entries(run.params).map(([key, value]) => `${key}=${value}`).join(" ");
  return (
    <tr data-current={isCurrent}>
      <td className="nowrap"><AppLink href={paths.pipelineRun(project, run.id)}>#{run.number}</AppLink></td>
      <td className="nowrap"><span title={run.reason || undefined}><WorkStatus state={workState(run.status)} /></span></td>
      <td className="nowrap secondary">{triggerWords(run)}</td>
      <td className="wide ellipsis secondary mono" title={params}>{params}</td>
      <td className="nowrap"><DataPins pins={run.pins} /></td>
      <td className="nowrap secondary">{run.code_id ? <code title="BLAKE3 of repository, commit and what differed from it; the run's page names the commit">{run.code_id.slice(0, 8)}</code> : null}</td>
      <td className="number secondary">{run.started_at_ms != null ? <Duration startMs={run.started_at_ms} endMs={run.ended_at_ms ?? undefined} /> : null}</td>
      <td className="number secondary"><Ago atMs={run.created_at_ms} /></td>
    </tr>
  );
}
