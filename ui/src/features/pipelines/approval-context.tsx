import { useQuery } from "@tanstack/react-query";
import { toNumber } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { ErrorNote } from "../../components/error-note";
import { formatCount, formatNumber } from "../../components/format";
import { versionQuery } from "../models/queries";
import { runQuery } from "../run/queries";
import { approvingOf } from "./approving";
import { DataPins } from "./data-pins";
import { pipelineRunQuery } from "./queries";
import { actionWords, labelOf } from "./states";

const shownAtMost = 4;
/** On the page of the run, where all of them are jobs that can be opened. */
const shownOnRunAtMost = 20;

interface ApprovalContextProps {
  runId: string;
  job: string;
  /** On the page of the run its data and parameters stand above. */
  isOnRun?: boolean;
}

/** What is approved: model versions and runs with their metrics, the data, the parameters, and what begins then. */
export function ApprovalContext({ runId, job, isOnRun }: ApprovalContextProps) {
  const project = useProject();
  const found = useQuery({ ...pipelineRunQuery(project, runId), refetchInterval: false });
  if (found.error) return <ErrorNote error={found.error} title="What is approved" />;
  if (!found.data) return <span className="muted">Loading what it is about…</span>;
  const { run } = found.data;
  const { versions, sources, next } = approvingOf(found.data, job);
  const params = Object.entries(run.params);
  const most = isOnRun ? shownOnRunAtMost : shownAtMost;
  const href = isOnRun ? undefined : paths.pipelineRun(project, runId, { job });
  return (
    <dl className="pipeline-facts in-text">
      {versions.slice(0, most).map(({ model, version }) => <div key={`${model} ${version}`}><dt>Model</dt><dd><Version model={model} version={version} /></dd></div>)}
      <Rest of="Model" count={versions.length - most} href={href} />
      {sources.slice(0, most).map((source) => (
        <div key={source.job}>
          <dt>Before it</dt>
          <dd><AppLink href={paths.run(project, source.run_id!)}>run of {labelOf(source)}</AppLink><Metrics runId={source.run_id!} /></dd>
        </div>
      ))}
      <Rest of="Before it" count={sources.length - most} href={href} />
      {Object.keys(run.pins).length && !isOnRun ? <div><dt>Data</dt><dd><DataPins pins={run.pins} /></dd></div> : null}
      {params.length && !isOnRun ? <div><dt>Parameters</dt><dd className="mono">{params.map(([key, value]) => `${key}=${value}`).join(" ")}</dd></div> : null}
      {next.length ? <div><dt>Then begins</dt><dd>{next.map(({ name, action }) => (action === "run" ? name : `${name} (${actionWords(action)})`)).join(", ")}</dd></div> : null}
    </dl>
  );
}

/** A matrix may leave very many, each of which is asked for. */
function Rest({ of, count, href }: { of: string; count: number; href: string | undefined }) {
  if (count <= 0) return null;
  const words = `and ${formatCount(count)} more`;
  return <div><dt>{of}</dt><dd>{href ? <AppLink href={href}>{words}</AppLink> : <span className="secondary">{words}</span>}</dd></div>;
}

function Version({ model, version }: { model: string; version: string }) {
  const project = useProject();
  const { data, error } = useQuery(versionQuery(project, model, version));
  return <><AppLink href={paths.version(project, model, version)}>{model} v{version}</AppLink>{data?.run_id ? <Metrics runId={data.run_id} /> : null}{error && !data ? <NoMetrics /> : null}</>;
}

/** The first metrics of a run, in a line. */
function Metrics({ runId }: { runId: string }) {
  const project = useProject();
  const { data, error } = useQuery(runQuery(project, runId));
  if (error && !data) return <NoMetrics />;
  if (!data?.metrics.length) return null;
  const shown = data.metrics.slice(0, shownAtMost).map(({ key, value }) => `${key} ${formatNumber(toNumber(value))}`);
  return <span className="secondary">: {shown.join(", ")}{data.metrics.length > shownAtMost ? " …" : ""}</span>;
}

/** Whoever approves must not take what could not be read for what has none. */
const NoMetrics = () => <span className="muted">: metrics cannot be read</span>;
