// What an approval is about: what stands before it in the run, and what begins with it.
import type { Job, PipelineJob, PipelineRunDetail } from "../../api/pipelines";

export interface Approving {
  /** Versions that jobs before it have registered, the nearest job first. */
  versions: { model: string; version: string }[];
  /** The jobs right before it that left a run. */
  sources: Pick<Job, "job" | "name" | "matrix" | "run_id">[];
  /** The jobs that wait for it. */
  next: Pick<PipelineJob, "name" | "action">[];
}

export function approvingOf({ graph, jobs }: Pick<PipelineRunDetail, "graph" | "jobs">, job: string): Approving {
  const name = jobs.find((each) => each.job === job)?.name ?? job;
  const needsOf = (of: string) => graph.find((each) => each.name === of)?.needs ?? [];
  const before = [...needsOf(name)];
  for (const each of before) before.push(...needsOf(each).filter((need) => !before.includes(need)));
  const registered = before.flatMap((each) => jobs.filter((one) => one.name === each)).map(({ values: { model, version } }) => (model && version ? { model, version } : undefined));
  const versions = registered.filter((one, index) => one !== undefined && registered.findIndex((other) => other?.model === one.model && other.version === one.version) === index);
  return {
    versions: versions as Approving["versions"],
    sources: jobs.filter((each) => needsOf(name).includes(each.name) && each.run_id),
    next: graph.filter(({ needs }) => needs.includes(name)),
  };
}
