// One job of a pipeline run: how it went, why, what it was given and what it made, and its log as it is written.
import { useQuery } from "@tanstack/react-query";
import { Recycle } from "lucide-react";
import type { Attempt, Job, PipelineRun } from "../../api/pipelines";
import { AppLink, useProject, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { saveFile } from "../../app/save-file";
import { ErrorNote } from "../../components/error-note";
import { formatBytes, formatDateTime, plural, shortId } from "../../components/format";
import { LogViewer } from "../../components/log-viewer";
import { parseName } from "../../components/names";
import { Section } from "../../components/page";
import { Ago, Duration, Until } from "../../components/time";
import { notifyError } from "../../components/toast";
import { stateWord, WorkStatus } from "../../components/work-state";
import { ThingLink } from "../lineage/lineage-panel";
import { useTitles } from "../lineage/titles";
import { useLineage } from "../lineage/use-lineage";
import { attemptsQuery, decisionsQuery } from "./queries";
import { cacheWords, cellWords, decisionWord, labelOf, reasonWords, retryAtMs, workState } from "./states";
import { readWholeLog, useJobLog } from "./use-job-log";
import { pipelineRunView } from "./view";

interface JobPanelProps {
  run: PipelineRun;
  job: Job;
  /** Of a matrix, all its cells. */
  cells: readonly Job[];
  isApproval: boolean;
}

export function JobPanel({ run, job, cells, isApproval }: JobPanelProps) {
  const project = useProject();
  const [view] = useView(pipelineRunView);
  const found = useQuery({ ...attemptsQuery(project, run.id, job.job, job.attempt, job.status), enabled: job.attempt > 0 });
  const attempts = found.data?.attempts ?? [];
  const shown = attempts.find(({ attempt }) => attempt === view.attempt) ?? attempts.at(-1);
  const reason = reasonWords(job);
  const tryMs = retryAtMs(job);
  // While it goes on, no run counts yet; its newest attempt is one all the same.
  const runId = job.run_id ?? shown?.run_id;
  return (
    <section className="section job-panel" aria-label={`Job ${job.job}`}>
      <div className="section-head">
        <h2>{labelOf(job)}</h2>
        {cells.length > 1 ? <CellSelect job={job} cells={cells} /> : null}
        <WorkStatus state={workState(job.status)} />
        {job.started_at_ms != null ? <span className="secondary"><Duration startMs={job.started_at_ms} endMs={job.ended_at_ms ?? undefined} /></span> : null}
        {runId ? <AppLink className="push" href={paths.run(project, runId)}>{job.cached_from ? "Run that did it" : "Its run"}: metrics, params, files</AppLink> : null}
      </div>
      {reason ? <p className={job.status === "failed" ? "job-reason failed" : "job-reason"}>{reason}</p> : null}
      {tryMs === undefined ? null : <p className="job-reason" title={formatDateTime(tryMs)}>Attempt {job.attempt + 1} begins <Until atMs={tryMs} />: it waits so long after a failed one.</p>}
      <Cache job={job} />
      {found.error ? <ErrorNote error={found.error} /> : null}
      <div className="job-columns">
        <div className="stack">
          {attempts.length > 1 ? <Attempts attempts={attempts} shown={shown} runId={run.id} job={job.job} /> : null}
          {isApproval ? <Decisions run={run} job={job} /> : job.cached_from ? <p className="muted">Nothing ran here; the log is where it was done.</p> : shown ? <Log key={shown.attempt} runId={run.id} job={job} attempt={shown.attempt} /> : <p className="muted">{notBegun(job)}</p>}
        </div>
        <aside aria-label={`About job ${job.job}`}>
          <JobFacts run={run} job={job} runId={runId ?? undefined} />
        </aside>
      </div>
    </section>
  );
}

/** Who said what; while it waits, the buttons stand above. */
function Decisions({ run, job }: { run: PipelineRun; job: Job }) {
  const project = useProject();
  const found = useQuery(decisionsQuery(project, run.id, job.job));
  if (found.error) return <ErrorNote error={found.error} title="Decisions" />;
  if (!found.data?.length) return <p className="muted">{job.status === "awaiting_approval" ? "Nobody has decided yet." : notBegun(job)}</p>;
  return (
    <table className="table inset">
      <thead>
        <tr>
          <th>Who</th>
          <th>Decided</th>
          <th>Why</th>
          <th className="number">When</th>
        </tr>
      </thead>
      <tbody>
        {found.data.map((event) => (
          <tr key={event.id}>
            <td className="nowrap">{event.actor.name}</td>
            <td className="nowrap">{decisionWord(event)}</td>
            <td className="breakable secondary" style={{ width: "100%" }}>{String(event.detail?.comment ?? "")}</td>
            <td className="number secondary"><Ago atMs={event.at_ms} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Leads to the other cells of the matrix; a wide one is only one box of the graph. */
function CellSelect({ job, cells }: { job: Job; cells: readonly Job[] }) {
  const [, setView] = useView(pipelineRunView);
  return (
    <select className="select" aria-label={`Cell of ${job.name}`} value={job.job} onChange={(event) => setView({ job: event.target.value, attempt: 0, find: "" })}>
      {cells.map((cell) => <option key={cell.job} value={cell.job}>{cellWords(cell.matrix)}: {stateWord(workState(cell.status))}</option>)}
    </select>
  );
}

const notBegun = ({ status, attempt }: Job) => {
  if (attempt > 0) return "";
  if (status === "waiting") return "It begins when the jobs that it needs have ended.";
  if (status === "queued") return "It is ready and waits for free cores and memory.";
  if (status === "skipped") return "It was left out.";
  return "It never began.";
};

/** Why the job was taken from the cache, or why it could not be. */
function Cache({ job }: { job: Job }) {
  const project = useProject();
  const cache = cacheWords(job);
  if (!cache) return null;
  return (
    <div className="note job-cache in-text">
      <Recycle size={14} aria-hidden="true" />
      <div>
        <strong>{cache.isHit ? "Taken from the cache. " : "Not taken from the cache: "}</strong>
        {cache.why}
        {cache.from ? <> <AppLink href={paths.pipelineRun(project, cache.from.runId, { job: cache.from.job })}>Where it was done</AppLink></> : null}
      </div>
    </div>
  );
}

function Attempts({ attempts, shown, runId, job }: { attempts: readonly Attempt[]; shown: Attempt | undefined; runId: string; job: string }) {
  const project = useProject();
  const [view] = useView(pipelineRunView);
  const isNewest = (attempt: Attempt) => attempt === attempts.at(-1);
  const search = (attempt: Attempt): Record<string, string> => ({ job, ...(view.draw === "timeline" ? { draw: "timeline" } : {}), ...(isNewest(attempt) ? {} : { attempt: String(attempt.attempt) }) });
  return (
    <table className="table inset in-text">
      <thead>
        <tr>
          <th>Attempt</th>
          <th>State</th>
          <th>Why</th>
          <th>Run</th>
          <th className="number">Began</th>
          <th className="number">Took</th>
        </tr>
      </thead>
      <tbody>
        {attempts.map((attempt) => (
          <tr key={attempt.attempt}>
            <td className="nowrap"><AppLink href={paths.pipelineRun(project, runId, search(attempt))} aria-current={attempt === shown ? "true" : undefined}>Attempt {attempt.attempt}</AppLink></td>
            <td><WorkStatus state={workState(attempt.status)} /></td>
            <td className="wide ellipsis secondary" title={attempt.reason}>{attempt.reason || (attempt.exit_code ? `exit code ${attempt.exit_code}` : "")}</td>
            <td className="nowrap">{attempt.run_id ? <AppLink href={paths.run(project, attempt.run_id)}>Its run</AppLink> : null}</td>
            <td className="number nowrap secondary">{formatDateTime(attempt.started_at_ms)}</td>
            <td className="number nowrap secondary"><Duration startMs={attempt.started_at_ms} endMs={attempt.ended_at_ms ?? undefined} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** So many lines need no tall box. */
const shortLog = 8;

/** Each attempt has one of its own: following and scrolling begin anew. Who searches in it stays with its job. */
function Log({ runId, job, attempt }: { runId: string; job: Job; attempt: number }) {
  const project = useProject();
  const [view, setView] = useView(pipelineRunView);
  const { log, isComplete, error } = useJobLog(project, runId, job.job, attempt);
  const download = async () => {
    try {
      saveFile(`${job.job} ${shortId(runId)} attempt ${attempt}.log`, "text/plain", await readWholeLog(project, runId, job.job, attempt));
    } catch (refusal) {
      notifyError(refusal);
    }
  };
  return (
    <>
      {error ? <ErrorNote error={error} title="Log" /> : null}
      {error && isComplete && !log.lines.length ? null : (
        <div className={log.lines.length <= shortLog && isComplete ? "job-log short" : "job-log"}>
          <LogViewer label={`Log of ${job.job}`} log={log} isLive={!isComplete} search={view.find} onSearch={(find) => setView({ find, job: job.job }, { replace: true })} onDownload={download} />
        </div>
      )}
    </>
  );
}

function JobFacts({ run, job, runId }: { run: PipelineRun; job: Job; runId: string | undefined }) {
  const project = useProject();
  const pairs = (values: Record<string, unknown>) => Object.entries(values);
  const outputs = Object.entries(job.outputs);
  return (
    <>
      {pairs(job.matrix).length ? <Pairs title="Matrix" pairs={pairs(job.matrix)} /> : null}
      {pairs(job.values).length ? <Pairs title="Values" pairs={pairs(job.values)} /> : null}
      {runId ? <Inputs runId={runId} job={`${project}/job/${run.id}/${job.job}`} /> : null}
      {outputs.length ? (
        <Section title="Outputs">
          <dl className="facts">
            {outputs.map(([name, output]) => (
              <div key={name} style={{ display: "contents" }}>
                <dt>{name}</dt>
                <dd>
                  {job.run_id ? <AppLink href={paths.run(project, job.run_id, { tab: "artifacts", open: `outputs,outputs/${name}` })}>{plural(output.files, "file")}</AppLink> : plural(output.files, "file")}, {formatBytes(output.size_bytes)}
                  <div className="muted mono ellipsis" title={`BLAKE3 ${output.hash}`}>{output.hash.slice(0, 16)}</div>
                </dd>
              </div>
            ))}
          </dl>
        </Section>
      ) : null}
    </>
  );
}

function Pairs({ title, pairs }: { title: string; pairs: [string, unknown][] }) {
  return (
    <Section title={title}>
      <dl className="facts">
        {pairs.map(([key, value]) => (
          <div key={key} style={{ display: "contents" }}>
            <dt className="ellipsis" title={key}>{key}</dt>
            <dd className="mono">{String(value)}</dd>
          </div>
        ))}
      </dl>
    </Section>
  );
}

/** What the job's run was given and read: only the lineage tells. */
function Inputs({ runId, job }: { runId: string; job: string }) {
  const project = useProject();
  const name = `${project}/run/${runId}`;
  const lineage = useLineage(name, "up", 1);
  const given = lineage.data?.nodes.filter((node) => node.name !== name && node.name !== job && parseName(node.name).kind !== "job") ?? [];
  const titleOf = useTitles(project, given.map((node) => node.name), lineage.data?.edges);
  if (!given.length) return null;
  return (
    <Section title="Inputs">
      <ul>{given.map((node) => <li key={node.name}><ThingLink name={node.name} title={titleOf(node.name)} /></li>)}</ul>
    </Section>
  );
}
