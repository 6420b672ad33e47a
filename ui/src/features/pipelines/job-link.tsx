import { useQuery } from "@tanstack/react-query";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { shortId } from "../../components/format";
import { pipelineRunQuery } from "./queries";

/** Leads from a run to the job of a pipeline that it is an attempt of. */
export function PipelineJobLink({ runId, job }: { runId: string; job: string }) {
  const project = useProject();
  const { data } = useQuery({ ...pipelineRunQuery(project, runId), refetchInterval: false });
  return <AppLink href={paths.pipelineRun(project, runId, { job })}>{job} <span className="secondary">of {data ? `${data.run.pipeline} #${data.run.number}` : shortId(runId)}</span></AppLink>;
}
