import { useQuery } from "@tanstack/react-query";
import type { Pipeline, PipelineRun } from "../api/pipelines";
import { AppLink, useGo, useProject } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanWrite } from "../app/session";
import { useListKeys } from "../app/use-list-keys";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { formatCount } from "../components/format";
import { PageHead } from "../components/page";
import { Ago } from "../components/time";
import { WorkStatus } from "../components/work-state";
import { NextRun } from "../features/pipelines/next-run";
import { PauseButton } from "../features/pipelines/pause-button";
import "../features/pipelines/pipelines.css";
import { pipelinesQuery } from "../features/pipelines/queries";
import { RunMarks } from "../features/pipelines/run-marks";
import { FirstPipeline } from "../features/pipelines/snippets";
import { triggerWords, workState } from "../features/pipelines/states";
import { useLastRuns } from "../features/pipelines/use-last-runs";
import { usePipelineChanges } from "../features/pipelines/use-pipeline-changes";

const marksPerPipeline = 10;
/** The newest runs of all pipelines, among which each one's last are looked for. */
const newestRuns = 500;

export default function PipelinesPage() {
  const project = useProject();
  const go = useGo();
  const reload = usePipelineChanges(project);
  const found = useQuery(pipelinesQuery(project));
  const { last, isLoaded, error: runsError } = useLastRuns(project, newestRuns, marksPerPipeline);
  const pipelines = found.data?.pipelines ?? [];
  const current = useListKeys({ count: pipelines.length, onOpen: (index) => go(paths.pipeline(project, pipelines[index]!.name)) });
  const error = found.error ?? runsError;
  return (
    <>
      <PageHead title="Pipelines" />
      <div className="page-body flush">
        {error ? <div style={{ padding: 20 }}><ErrorNote error={error} /></div> : null}
        {found.isPending ? <SkeletonRows /> : null}
        {found.data && !pipelines.length ? <Empty title="No pipelines yet"><FirstPipeline /></Empty> : null}
        {pipelines.length ? (
          <table className="table sticky">
            <thead>
              <tr>
                <th>Pipeline</th>
                <th>Last run</th>
                <th className="roomy">Started by</th>
                <th className="number">When</th>
                <th className="roomy">Before that</th>
                <th>Starts on</th>
                <th className="number">Next run</th>
                <th className="number">Runs</th>
                <th className="actions-cell"><span className="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {pipelines.map((pipeline, index) => (
                <PipelineRow key={pipeline.name} pipeline={pipeline} runs={last.get(pipeline.name) ?? []} isLoaded={isLoaded} isCurrent={index === current} onChanged={reload} />
              ))}
            </tbody>
          </table>
        ) : null}
        {found.data?.next_page_token ? <p className="muted" style={{ padding: 20 }}>Only the first {formatCount(pipelines.length)} are shown; <code>lathe pipeline list</code> prints all.</p> : null}
      </div>
    </>
  );
}

interface PipelineRowProps {
  pipeline: Pipeline;
  runs: readonly PipelineRun[];
  isLoaded: boolean;
  isCurrent: boolean;
  onChanged: () => Promise<void>;
}

function PipelineRow({ pipeline, runs, isLoaded, isCurrent, onChanged }: PipelineRowProps) {
  const project = useProject();
  const canWrite = useCanWrite();
  const newest = runs[0];
  return (
    <tr data-current={isCurrent}>
      <td className="nowrap">
        <AppLink href={paths.pipeline(project, pipeline.name)}>{pipeline.name}</AppLink> {pipeline.is_paused ? <span className="chip">paused</span> : null}
      </td>
      <td className="nowrap">
        {newest ? <AppLink href={paths.pipelineRun(project, newest.id)}><span className="row"><span>#{newest.number}</span><WorkStatus state={workState(newest.status)} /></span></AppLink> : null}
        {/* Of many that were displaced, not all are asked for. */}
        {newest || !isLoaded ? null : <span className="muted">{pipeline.runs ? "long ago" : "never ran"}</span>}
      </td>
      <td className="nowrap secondary roomy">{newest ? triggerWords(newest) : null}</td>
      <td className="number secondary">{newest ? <Ago atMs={newest.created_at_ms} /> : null}</td>
      <td className="roomy"><RunMarks runs={runs.slice(1)} /></td>
      <td className="wide ellipsis secondary" title={pipeline.triggers.join(", ")}>{pipeline.triggers.join(", ") || "by hand only"}</td>
      <td className="number secondary"><NextRun pipeline={pipeline} /></td>
      <td className="number">{formatCount(pipeline.runs)}</td>
      <td className="actions-cell">{canWrite && (pipeline.triggers.length || pipeline.is_paused) ? <PauseButton pipeline={pipeline} size="small" onDone={onChanged} /> : null}</td>
    </tr>
  );
}
