import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import type { Run } from "../api/mlflow";
import { AppLink, useProject, useSearchParams, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { writeView } from "../app/url-state";
import { useDraft } from "../app/use-draft";
import { matcher } from "../charts/metric-groups";
import "../charts/charts.css";
import { Empty, LoadingBar, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { SearchField } from "../components/fields";
import { plural } from "../components/format";
import { PageHead } from "../components/page";
import { CompareCharts } from "../features/compare/compare-charts";
import { CompareTable } from "../features/compare/compare-table";
import { Parallel } from "../features/compare/parallel";
import { comparedRunsQuery } from "../features/compare/queries";
import { compareRuns, sortOrder, type Row } from "../features/compare/rows";
import { Scatter } from "../features/compare/scatter";
import { compareView, tableView, type CompareTab } from "../features/compare/view";
import "../features/compare/compare.css";
import { allExperimentsQuery } from "../features/experiments/queries";
import { nextSort, parseSort } from "../features/runs/columns";
import { comparedAtMost } from "../features/runs/selection-bar";

const tabTitles: [CompareTab, string][] = [
  ["table", "Table"],
  ["charts", "Charts"],
  ["parallel", "Parallel coordinates"],
  ["scatter", "Scatter"],
];

export default function ComparePage() {
  const project = useProject();
  const client = useQueryClient();
  const search = useSearchParams();
  const [view, setView] = useView(compareView);
  const runIds = useMemo(() => [...new Set(view.runs)].slice(0, comparedAtMost), [view.runs]);
  const experiments = useQuery(allExperimentsQuery(project));
  const experimentIds = useMemo(() => experiments.data?.map((experiment) => experiment.experiment_id) ?? [], [experiments.data]);
  const compared = useQuery(comparedRunsQuery(project, experimentIds, runIds));
  const runs = useMemo(() => compared.data?.filter((run) => runIds.includes(run.info.run_id)) ?? [], [compared.data, runIds]);
  const rows = useMemo(() => {
    const names = new Map(experiments.data?.map((experiment) => [experiment.experiment_id, experiment.name]));
    return compareRuns(runs, (id) => names.get(id) ?? id);
  }, [runs, experiments.data]);
  const metricKeys = useMemo(() => rows.filter((row) => row.kind === "metrics").map((row) => row.key), [rows]);

  // Curves of running runs are asked for again together with their latest values.
  const hasRunning = runs.some((run) => run.info.status === "RUNNING");
  useEffect(() => {
    if (hasRunning && view.tab === "charts") void client.invalidateQueries({ queryKey: ["series", project] });
  }, [client, project, hasRunning, view.tab, compared.dataUpdatedAt]);

  const error = experiments.error ?? compared.error;
  const missing = compared.isSuccess && !compared.isPlaceholderData ? runIds.length - runs.length : 0;
  const title = runs.length ? `Compare ${plural(runs.length, "run")}` : "Compare runs";
  const remove = (runId: string) => setView({ runs: view.runs.filter((id) => id !== runId), baseline: view.baseline === runId ? undefined : view.baseline });

  return (
    <>
      <PageHead title={title} crumbs={<AppLink href={paths.runs(project)}>Runs</AppLink>} />
      {runIds.length ? (
        <nav className="tabs" aria-label="Ways to compare">
          {tabTitles.map(([tab, label]) => (
            <AppLink key={tab} href={paths.compare(project, writeView(compareView, { ...view, tab }, search))} aria-current={tab === view.tab ? "page" : undefined}>{label}</AppLink>
          ))}
        </nav>
      ) : null}
      <div style={{ position: "relative" }}>{compared.isPlaceholderData ? <LoadingBar /> : null}</div>
      {missing > 0 || view.runs.length > comparedAtMost ? (
        <p className="compare-note secondary">
          {missing > 0 ? `${plural(missing, "run")} of the address ${missing === 1 ? "does" : "do"} not exist in project ${project}. ` : ""}
          {view.runs.length > comparedAtMost ? `The first ${comparedAtMost} of ${view.runs.length} runs are compared.` : ""}
        </p>
      ) : null}
      {!runIds.length ? <Empty title="No runs to compare"><p>Select two or more in the <AppLink href={paths.runs(project)}>runs table</AppLink> and press <kbd className="kbd">c</kbd>.</p></Empty> : null}
      {error ? <div className="page-body"><ErrorNote error={error} /></div> : null}
      {runIds.length && !compared.data && !error ? <SkeletonRows /> : null}
      {runs.length && view.tab === "table" ? <TablePart runs={runs} rows={rows} baseline={view.baseline} onBaseline={(runId) => setView({ baseline: runId }, { replace: true })} onRemove={remove} /> : null}
      {runs.length && view.tab !== "table" ? (
        <div className="page-body">
          {view.tab === "charts" ? <CompareCharts runs={runs} keys={metricKeys} /> : null}
          {view.tab === "parallel" ? <Parallel runs={runs} rows={rows} /> : null}
          {view.tab === "scatter" ? <Scatter runs={runs} rows={rows} /> : null}
        </div>
      ) : null}
    </>
  );
}

interface TablePartProps {
  runs: Run[];
  rows: Row[];
  baseline: string | undefined;
  onBaseline: (runId: string | undefined) => void;
  onRemove: (runId: string) => void;
}

function TablePart({ runs, rows, baseline, onBaseline, onRemove }: TablePartProps) {
  const [view, setView] = useView(tableView);
  const [search, setSearch] = useDraft(view.search, (text) => setView({ search: text }, { replace: true }));
  const showsAll = view.showsAll || runs.length < 2;
  const shown = useMemo(() => {
    const matches = matcher(view.search);
    return rows.filter((row) => (showsAll || row.differs) && matches(row.key));
  }, [rows, showsAll, view.search]);
  const equal = rows.filter((row) => !row.differs).length;
  const sort = parseSort(view.sort);
  const order = useMemo(() => {
    const sorted = sort && rows.find((row) => row.id === sort.id);
    return sorted ? sortOrder(sorted.values, sort.isDescending) : runs.map((_, index) => index);
  }, [rows, runs, view.sort]);
  return (
    <>
      <div className="toolbar">
        <SearchField label="Search rows" data-search="" style={{ width: 240 }} value={search} onChange={setSearch} />
        <label className="check">
          <input type="checkbox" checked={!showsAll} disabled={runs.length < 2} onChange={(event) => setView({ showsAll: !event.target.checked }, { replace: true })} />
          Only differences
        </label>
        {!showsAll && equal ? <span className="muted">{plural(equal, "equal row")} hidden</span> : null}
      </div>
      {shown.length ? (
        <CompareTable
          runs={runs}
          rows={shown}
          order={order}
          sort={view.sort}
          baseline={runs.findIndex((run) => run.info.run_id === baseline)}
          onSort={(id) => setView({ sort: nextSort(view.sort, id) }, { replace: true })}
          onBaseline={onBaseline}
          onRemove={onRemove}
        />
      ) : (
        <Empty title={view.search ? "No row matches" : "These runs do not differ"}><p>{view.search ? "Search for less." : "Show all rows to see what they share."}</p></Empty>
      )}
    </>
  );
}
