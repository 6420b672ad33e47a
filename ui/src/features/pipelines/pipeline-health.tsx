import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { Section } from "../../components/page";
import { Ago } from "../../components/time";
import { WorkStatus } from "../../components/work-state";
import { isOngoing, workState } from "./states";
import { useLastRuns } from "./use-last-runs";
import { usePipelineChanges } from "./use-pipeline-changes";

const shownAtMost = 6;
/** The newest runs of all pipelines, among which each one's last is looked for. */
const newestRuns = 50;

/** How the last run of each pipeline went, what runs and what failed first; nothing where none ran. */
export function PipelineHealth() {
  const project = useProject();
  usePipelineChanges(project);
  const last = [...useLastRuns(project, newestRuns, 1).last.values()].flat();
  if (!last.length) return null;
  const sorted = last.sort((a, b) => Number(isOngoing(b)) - Number(isOngoing(a)) || Number(b.status === "failed") - Number(a.status === "failed") || b.created_at_ms - a.created_at_ms);
  return (
    <Section title="Pipelines" actions={<AppLink href={paths.pipelines(project)}>All</AppLink>}>
      <ul className="stack" style={{ gap: 4 }}>
        {sorted.slice(0, shownAtMost).map((run) => (
          <li key={run.id} className="row">
            <AppLink className="ellipsis" href={paths.pipelineRun(project, run.id)}>{run.pipeline} #{run.number}</AppLink>
            <span className="row push nowrap">
              <span className="muted"><Ago atMs={run.created_at_ms} /></span>
              <WorkStatus state={workState(run.status)} />
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
