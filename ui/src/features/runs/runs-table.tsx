// The runs table: a real table whose rows are drawn only where they are seen.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef, type MouseEvent } from "react";
import type { RunRow } from "../../api/native";
import { columnWidth, kindTitles, parseSort, type ColumnKind, type RunColumn } from "./columns";
import { RunCells } from "./run-cells";

const rowHeight = 28;
const fixed = { select: 42, name: 232, status: 96, started: 92, duration: 84, user: 84, experiment: 132 };

export interface RunsTableProps {
  runs: RunRow[];
  columns: RunColumn[];
  total: number;
  firstIndex: number;
  sort: string;
  selected: ReadonlySet<string>;
  baseline: RunRow | undefined;
  showsExperiment: boolean;
  current: number;
  onSort: (id: string) => void;
  onToggle: (index: number, isRange: boolean) => void;
  onToggleAll: () => void;
  onBaseline: (runId: string | undefined) => void;
}

export function RunsTable(props: RunsTableProps) {
  const { runs, columns, total, firstIndex, baseline, showsExperiment, current } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: runs.length, getScrollElement: () => scroll.current, estimateSize: () => rowHeight, overscan: 16 });
  const items = rows.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = rows.getTotalSize() - (items.at(-1)?.end ?? 0);

  useEffect(() => {
    if (current >= 0) rows.scrollToIndex(current, { align: "auto" });
  }, [current, rows]);

  const widths = [
    fixed.select,
    fixed.name,
    fixed.status,
    fixed.started,
    fixed.duration,
    fixed.user,
    ...(showsExperiment ? [fixed.experiment] : []),
    ...columns.map((column) => columnWidth(column, baseline !== undefined)),
  ];
  const columnCount = widths.length + 1;

  return (
    <div className="runs-scroll" ref={scroll} tabIndex={0} role="region" aria-label="Runs">
      <table className="runs-table" aria-rowcount={total + 2} style={{ minWidth: widths.reduce((sum, width) => sum + width, 0) }}>
        <colgroup>
          {widths.map((width, index) => (
            <col key={index} style={{ width }} />
          ))}
          <col />
        </colgroup>
        <Head {...props} />
        {baseline ? (
          <tbody className="baseline-body">
            <tr>
              <RunCells run={baseline} columns={columns} showsExperiment={showsExperiment} pinned onBaseline={props.onBaseline} />
            </tr>
          </tbody>
        ) : null}
        <tbody>
          {before > 0 ? <tr aria-hidden="true"><td colSpan={columnCount} style={{ height: before, padding: 0, border: 0 }} /></tr> : null}
          {items.map((item) => {
            const run = runs[item.index]!;
            const isSelected = props.selected.has(run.run_id);
            return (
              <tr
                key={run.run_id}
                aria-rowindex={firstIndex + item.index + 3}
                data-selected={isSelected}
                data-current={item.index === current}
              >
                <RunCells
                  run={run}
                  columns={columns}
                  showsExperiment={showsExperiment}
                  baseline={baseline}
                  isSelected={isSelected}
                  onToggle={(event: MouseEvent) => props.onToggle(item.index, event.shiftKey)}
                  onBaseline={props.onBaseline}
                />
              </tr>
            );
          })}
          {after > 0 ? <tr aria-hidden="true"><td colSpan={columnCount} style={{ height: after, padding: 0, border: 0 }} /></tr> : null}
        </tbody>
      </table>
    </div>
  );
}

function Head({ runs, columns, sort, selected, showsExperiment, onSort, onToggleAll }: RunsTableProps) {
  const groups = (["metrics", "params", "tags"] as ColumnKind[])
    .map((kind) => ({ kind, count: columns.filter((column) => column.kind === kind).length }))
    .filter((group) => group.count > 0);
  const shown = runs.filter((run) => selected.has(run.run_id)).length;
  return (
    <thead>
      <tr className="groups">
        <td colSpan={2} className="sticky-name" />
        <td colSpan={showsExperiment ? 5 : 4} />
        {groups.map(({ kind, count }) => (
          <th key={kind} colSpan={count} scope="colgroup">
            {kindTitles[kind]}
          </th>
        ))}
        <td />
      </tr>
      <tr>
        <th className="sticky-select" scope="col">
          <input
            type="checkbox"
            aria-label="Select all runs of this page"
            checked={runs.length > 0 && shown === runs.length}
            ref={(box) => {
              if (box) box.indeterminate = shown > 0 && shown < runs.length;
            }}
            onChange={onToggleAll}
          />
        </th>
        <SortHead id="attributes.run_name" label="Run" sort={sort} onSort={onSort} className="sticky-name" />
        <SortHead id="attributes.status" label="Status" sort={sort} onSort={onSort} />
        <SortHead id="attributes.start_time" label="Started" sort={sort} onSort={onSort} />
        <th scope="col" className="number">Duration</th>
        <th scope="col">User</th>
        {showsExperiment ? <th scope="col">Experiment</th> : null}
        {columns.map((column, index) => (
          <SortHead
            key={column.id}
            id={column.id}
            label={column.key}
            sort={sort}
            onSort={onSort}
            className={`${column.kind === "metrics" ? "number" : ""} ${columns[index - 1]?.kind === column.kind ? "" : "first-of-group"}`}
          />
        ))}
        <td />
      </tr>
    </thead>
  );
}

function SortHead({ id, label, sort, onSort, className = "" }: { id: string; label: string; sort: string; onSort: (id: string) => void; className?: string }) {
  const sorted = parseSort(sort);
  const isSorted = sorted?.id === id;
  const direction = isSorted ? (sorted.isDescending ? "descending" : "ascending") : "none";
  return (
    <th scope="col" className={className} aria-sort={direction}>
      <button type="button" className="sort-head" title={label} onClick={() => onSort(id)}>
        <span className="ellipsis">{label}</span>
        <span className="sort-arrow" aria-hidden="true">
          {isSorted ? (sorted.isDescending ? "↓" : "↑") : ""}
        </span>
      </button>
    </th>
  );
}
