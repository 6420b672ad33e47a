import type { PipelineRun } from "../../api/pipelines";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { stateWord, WorkStateIcon } from "../../components/work-state";
import { workState } from "./states";

/** The last runs of a pipeline as a row of marks, oldest first. */
export function RunMarks({ runs }: { runs: readonly PipelineRun[] }) {
  const project = useProject();
  return (
    <span className="run-marks">
      {runs.toReversed().map((run) => {
        const words = `#${run.number}: ${stateWord(workState(run.status))}`;
        return (
          <AppLink key={run.id} href={paths.pipelineRun(project, run.id)} title={words} aria-label={`${run.pipeline} ${words}`}>
            <WorkStateIcon state={workState(run.status)} />
          </AppLink>
        );
      })}
    </span>
  );
}
