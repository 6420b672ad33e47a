import type { RunRow } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { Status } from "../../components/status";
import { Swatch } from "../../components/swatch";
import { Ago, Duration } from "../../components/time";

/** A short list of runs, without columns to choose. */
export function RunList({ runs }: { runs: RunRow[] }) {
  const project = useProject();
  return (
    <table className="table inset">
      <thead>
        <tr>
          <th>Run</th>
          <th>Status</th>
          <th className="roomy">Experiment</th>
          <th className="roomiest">User</th>
          <th className="number roomiest">Duration</th>
          <th className="number">Started</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.run_id}>
            <td className="wide">
              <span className="row">
                <Swatch runId={run.run_id} />
                <AppLink className="ellipsis" href={paths.run(project, run.run_id)}>
                  {run.run_name || run.run_id}
                </AppLink>
              </span>
            </td>
            <td>
              <Status status={run.status} />
            </td>
            <td className="nowrap roomy">
              <AppLink className="secondary" href={paths.runs(project, { exp: run.experiment_id })}>
                {run.experiment_name}
              </AppLink>
            </td>
            <td className="secondary nowrap roomiest">{run.user}</td>
            <td className="number secondary roomiest">
              <Duration startMs={run.start_time_ms} endMs={run.end_time_ms} />
            </td>
            <td className="number muted">
              <Ago atMs={run.start_time_ms} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
