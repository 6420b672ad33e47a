import { useMemo } from "react";
import type { Run } from "../../api/mlflow";
import { useView } from "../../app/navigation";
import type { ChartRun } from "../../charts/metric-chart";
import { MetricGrid, metricGridFields } from "../../charts/metric-grid";
import { assignStyles } from "../../charts/run-style";
import { Button } from "../../components/button";
import { Empty } from "../../components/empty";
import { LineSwatch } from "../../components/swatch";
import { legendView } from "./view";

/** The curves of all runs over each other. The legend hides and shows runs. */
export function CompareCharts({ runs, keys }: { runs: Run[]; keys: string[] }) {
  const [view, setView] = useView(metricGridFields);
  const [{ hidden }, setLegend] = useView(legendView);
  const ids = runs.map((run) => run.info.run_id).join();
  // Styles follow from all compared runs, so that hiding one changes no other.
  const all: ChartRun[] = useMemo(() => {
    const styles = assignStyles(runs.map((run) => run.info.run_id));
    return runs.map(({ info }) => ({ runId: info.run_id, label: info.run_name || info.run_id, startMs: info.start_time, ...styles.get(info.run_id)! }));
    // eslint-disable-next-line -- a run's other values change as it goes on, its look does not
  }, [ids]);
  const shown = useMemo(() => all.filter((run) => !hidden.includes(run.runId)), [all, hidden]);
  const toggle = (runId: string) => setLegend({ hidden: hidden.includes(runId) ? hidden.filter((other) => other !== runId) : [...hidden, runId] }, { replace: true });
  if (!keys.length) return <Empty title="No metrics"><p>None of these runs has logged a metric.</p></Empty>;
  return (
    <div className="stack">
      <div className="legend" role="group" aria-label="Runs in the charts">
        {all.map((run) => (
          <button key={run.runId} type="button" aria-pressed={!hidden.includes(run.runId)} onClick={() => toggle(run.runId)}>
            <LineSwatch style={run} />
            <span className="ellipsis">{run.label}</span>
          </button>
        ))}
        {hidden.length ? <Button size="small" variant="ghost" onClick={() => setLegend({ hidden: [] }, { replace: true })}>Show all</Button> : null}
      </div>
      {shown.length ? <MetricGrid keys={keys} runs={shown} view={view} onChange={setView} /> : <p className="muted">All runs are hidden.</p>}
    </div>
  );
}
