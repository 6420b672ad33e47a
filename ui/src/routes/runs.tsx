import { useQuery } from "@tanstack/react-query";
import { RefreshCw } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { ApiError } from "../api/http";
import { useGo, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useListKeys } from "../app/use-list-keys";
import { usePageTokens } from "../app/use-page-tokens";
import { Button } from "../components/button";
import { Empty, LoadingBar, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { Segmented } from "../components/fields";
import { formatCount, plural } from "../components/format";
import { PageHead } from "../components/page";
import { Pager } from "../components/pager";
import { firstPage } from "../components/token-pager";
import { ConnectSnippet } from "../features/experiments/connect";
import { allExperimentsQuery } from "../features/experiments/queries";
import { ColumnChooser } from "../features/runs/column-chooser";
import { defaultColumns, nextSort, orderColumns } from "../features/runs/columns";
import { ExperimentPicker } from "../features/runs/experiment-picker";
import { FilterField } from "../features/runs/filter-field";
import { useLiveRuns } from "../features/runs/live-runs";
import { columnsQuery, runsByIdQuery, runsQuery, runsRequest } from "../features/runs/queries";
import { RunsTable } from "../features/runs/runs-table";
import { SelectionBar, comparedAtMost } from "../features/runs/selection-bar";
import { pageSizes, runsView } from "../features/runs/view";
import "../features/runs/runs.css";

export default function RunsPage() {
  const project = useProject();
  const go = useGo();
  const [view, setView] = useView(runsView);
  const experiments = useQuery(allExperimentsQuery(project));
  const allIds = useMemo(() => experiments.data?.map((experiment) => experiment.experiment_id) ?? [], [experiments.data]);
  const experimentIds = view.experiments.length ? view.experiments : allIds;
  const available = useQuery({ ...columnsQuery(project, experimentIds), enabled: experimentIds.length > 0 && view.columns === undefined });

  const chosen = view.columns ?? (available.data ? defaultColumns(available.data) : undefined);
  const columns = useMemo(() => orderColumns(chosen ?? []), [chosen]);
  const columnIds = columns.map((column) => column.id);
  const isReady = experimentIds.length > 0 && (chosen !== undefined || available.isError);
  const request = isReady ? runsRequest(view, experimentIds, columnIds) : undefined;
  const runs = useQuery({ ...runsQuery(project, request ?? runsRequest(view, experimentIds, [])), enabled: request !== undefined });
  const live = useLiveRuns(project, request);

  const rows = runs.data?.runs ?? [];
  const onPage = rows.find((run) => run.run_id === view.baseline);
  const awayBaseline = useQuery({
    ...runsByIdQuery(project, experimentIds, view.baseline ? [view.baseline] : [], columnIds),
    enabled: view.baseline !== undefined && !onPage && runs.isSuccess,
  });
  const baseline = view.baseline ? (onPage ?? awayBaseline.data?.runs[0]) : undefined;

  const tokens = usePageTokens(JSON.stringify([project, view.experiments, view.filter, view.sort, view.isDeleted, view.pageSize]));
  const nextToken = runs.isPlaceholderData ? undefined : runs.data?.next_page_token;
  useEffect(() => {
    if (nextToken) tokens.remember(view.page + 1, nextToken);
  }, [nextToken, tokens, view.page]);

  const selected = useMemo(() => new Set(view.selected), [view.selected]);
  const select = (ids: Iterable<string>) => setView({ selected: [...ids] }, { replace: true });
  const lastToggled = useRef(0);
  const toggle = (index: number, isRange: boolean) => {
    const next = new Set(selected);
    const turnsOn = !next.has(rows[index]!.run_id);
    const [from, to] = isRange ? [Math.min(index, lastToggled.current), Math.max(index, lastToggled.current)] : [index, index];
    for (const run of rows.slice(from, to + 1)) {
      if (turnsOn) next.add(run.run_id);
      else next.delete(run.run_id);
    }
    lastToggled.current = index;
    select(next);
  };
  const toggleAll = () => {
    const ids = rows.map((run) => run.run_id);
    const areAll = ids.every((id) => selected.has(id));
    select(areAll ? view.selected.filter((id) => !ids.includes(id)) : new Set([...view.selected, ...ids]));
  };
  const canCompare = view.selected.length >= 2 && view.selected.length <= comparedAtMost;
  const current = useListKeys({
    count: rows.length,
    onOpen: (index) => go(paths.run(project, rows[index]!.run_id)),
    onSelect: (index) => toggle(index, false),
    extra: { c: () => canCompare && go(paths.compare(project, { runs: view.selected.join(",") })) },
  });

  // 400 on a filtered or sorted list means the server could not read the filter; anything else is a failure of the page.
  const isFilterError = runs.error instanceof ApiError && runs.error.status === 400 && view.filter !== "";
  const failure = experiments.error ?? (isFilterError ? undefined : runs.error);
  const name = view.experiments.length === 1 ? experiments.data?.find((experiment) => experiment.experiment_id === view.experiments[0])?.name : undefined;
  const total = runs.data?.total ?? 0;
  const firstIndex = (view.page - 1) * Number(view.pageSize);
  const isEmpty = runs.isSuccess && !runs.isPlaceholderData && rows.length === 0;
  const hasNoExperiment = experiments.isSuccess && experimentIds.length === 0;

  return (
    <>
      <PageHead title={name ? `Runs of ${name}` : "Runs"} heading={name ?? "Runs"}>
        {live.newRuns ? (
          <Button size="small" icon={<RefreshCw size={13} />} onClick={live.reload}>
            Show {plural(live.newRuns, "new run")}
          </Button>
        ) : null}
        <Segmented
          label="Which runs"
          value={view.isDeleted ? "deleted" : "active"}
          options={[{ value: "active", label: "Active" }, { value: "deleted", label: "Deleted" }]}
          onChange={(which) => setView({ ...firstPage, isDeleted: which === "deleted", selected: [] })}
        />
      </PageHead>
      <div className="toolbar" style={{ alignItems: "flex-start" }}>
        <ExperimentPicker chosen={view.experiments} onChange={(ids) => setView({ ...firstPage, experiments: ids })} />
        <FilterField value={view.filter} onApply={(filter) => setView({ ...firstPage, filter })} error={isFilterError ? runs.error : undefined} />
        <ColumnChooser
          experimentIds={experimentIds}
          chosen={columnIds}
          isDefault={view.columns === undefined}
          onChange={(next) => setView({ columns: next }, { replace: true })}
        />
      </div>
      <div className="runs-body">
        {runs.isFetching && runs.isPlaceholderData ? <LoadingBar /> : null}
        {failure ? <div style={{ padding: 20 }}><ErrorNote error={failure} /></div> : null}
        {(runs.isPending && !failure && !isFilterError && !hasNoExperiment) ? <SkeletonRows count={14} /> : null}
        {isEmpty || hasNoExperiment ? <NoRuns isFiltered={view.filter !== ""} isDeleted={view.isDeleted} experiment={name} /> : null}
        {rows.length && !isFilterError ? (
          <RunsTable
            runs={rows}
            columns={columns}
            total={total}
            firstIndex={firstIndex}
            sort={view.sort}
            selected={selected}
            baseline={baseline}
            showsExperiment={view.experiments.length !== 1}
            current={current}
            onSort={(id) => setView({ ...firstPage, sort: nextSort(view.sort, id) })}
            onToggle={toggle}
            onToggleAll={toggleAll}
            onBaseline={(runId) => setView({ baseline: runId }, { replace: true })}
          />
        ) : null}
      </div>
      {runs.data ? (
        <Pager
          page={view.page}
          hasNext={nextToken !== undefined}
          onPrevious={() => setView(tokens.previous(view.page))}
          onNext={() => setView({ page: view.page + 1, pageToken: nextToken })}
        >
          <span role="status">
            {rows.length ? `${formatCount(firstIndex + 1)}–${formatCount(firstIndex + rows.length)} of ` : ""}
            {plural(total, "run")}
          </span>
          <select className="select" style={{ height: 24 }} aria-label="Rows on a page" value={view.pageSize} onChange={(event) => setView({ ...firstPage, pageSize: event.target.value as (typeof pageSizes)[number] })}>
            {pageSizes.map((size) => (
              <option key={size} value={size}>{size} rows</option>
            ))}
          </select>
          {view.selected.length ? <SelectionBar selected={view.selected} isDeleted={view.isDeleted} onClear={() => select([])} onChanged={live.reload} /> : null}
        </Pager>
      ) : null}
    </>
  );
}

function NoRuns({ isFiltered, isDeleted, experiment }: { isFiltered: boolean; isDeleted: boolean; experiment?: string }) {
  if (isFiltered) return <Empty title="No run matches this filter"><p>Loosen it, or look in another experiment.</p></Empty>;
  if (isDeleted) return <Empty title="No deleted runs" />;
  return <Empty title="No runs yet"><ConnectSnippet experiment={experiment} /></Empty>;
}
