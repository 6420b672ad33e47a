import type { ReactNode } from "react";
import type { Run } from "../../api/mlflow";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { CopyButton } from "../../components/copy";
import { formatDateTime } from "../../components/format";
import { Ago, Duration } from "../../components/time";
import { PipelineJobLink } from "../pipelines/job-link";
import { tagOf } from "./snippets";

/** What is known of a run besides what it logged. */
export function RunFacts({ run, experimentName }: { run: Run; experimentName: string | undefined }) {
  const project = useProject();
  const { info } = run;
  const tag = (key: string) => tagOf(run, key);
  const commit = tag("mlflow.source.git.commit");
  const pipelineRun = tag("lathe.pipeline_run");
  const rows: [string, ReactNode][] = [
    ["Started", info.start_time ? <span title={formatDateTime(info.start_time)}>{formatDateTime(info.start_time)} <span className="muted">(<Ago atMs={info.start_time} />)</span></span> : undefined],
    ["Exit code", tag("lathe.exit_code")],
    ["Duration", info.start_time ? <Duration startMs={info.start_time} endMs={info.end_time} /> : undefined],
    ["User", info.user_id || tag("mlflow.user")],
    ["Experiment", <AppLink href={paths.runs(project, { exp: info.experiment_id })}>{experimentName ?? info.experiment_id}</AppLink>],
    ["Pipeline job", pipelineRun ? <PipelineJobLink runId={pipelineRun} job={tag("lathe.job") ?? ""} /> : undefined],
    ["Run id", <Copied text={info.run_id} />],
    ["Source", tag("mlflow.source.name")],
    ["Source type", tag("mlflow.source.type")],
    ["Git commit", commit ? <Copied text={commit} shown={commit.slice(0, 12)} /> : undefined],
    ["Git branch", tag("mlflow.source.git.branch")],
    ["Repository", tag("mlflow.source.git.repoURL")],
    ["Artifacts", <Copied text={info.artifact_uri} />],
  ];
  return (
    <dl className="facts">
      {rows.map(([label, value]) =>
        value ? (
          <div key={label} style={{ display: "contents" }}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}

function Copied({ text, shown = text }: { text: string; shown?: string }) {
  return (
    <span className="copied">
      <span className="mono" title={text}>{shown}</span>
      <CopyButton text={text} label={`Copy ${text}`} />
    </span>
  );
}
