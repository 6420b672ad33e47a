// Keys down, runs across. Only the rows in sight are drawn, so that a hundred runs with a thousand keys stay smooth.
import { useVirtualizer } from "@tanstack/react-virtual";
import { Pin, PinOff, Star, X } from "lucide-react";
import { useMemo, useRef } from "react";
import type { Run } from "../../api/mlflow";
import type { RunStatus } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { formatDelta, formatDuration, formatMinute, formatNumber } from "../../components/format";
import { bestValue } from "../../components/metric-direction";
import { Status } from "../../components/status";
import { Swatch } from "../../components/swatch";
import { parseSort } from "../runs/columns";
import { sameValue } from "./diff";
import { rowTitles, type CellValue, type Row } from "./rows";

const rowHeight = 28;
/** On a narrow screen the names leave room for at least one run. */
const keyWidth = "clamp(130px, 20vw, 230px)";
const runWidth = 148;
/** Few runs share the room that there is, so that their names are read in full. */
const runWidthMost = 220;
const attributeTitles: Record<string, string> = { status: "Status", start_time: "Started", duration: "Duration", user: "User", experiment: "Experiment" };

interface CompareTableProps {
  runs: Run[];
  rows: Row[];
  /** The order of the columns, as indices into `runs`. */
  order: number[];
  sort: string;
  baseline: number;
  onSort: (id: string) => void;
  onBaseline: (runId: string | undefined) => void;
  onRemove: (runId: string) => void;
}

type Line = { heading: string } | { row: Row };

export function CompareTable({ runs, rows, order, sort, baseline, onSort, onBaseline, onRemove }: CompareTableProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => {
    const all: Line[] = [];
    rows.forEach((row, index) => {
      if (rows[index - 1]?.kind !== row.kind) all.push({ heading: rowTitles[row.kind] });
      all.push({ row });
    });
    return all;
  }, [rows]);
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => scroll.current, estimateSize: () => rowHeight, overscan: 12 });
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const columnCount = order.length + 2;
  const spacer = (height: number) => (height > 0 ? <tr aria-hidden="true"><td colSpan={columnCount} style={{ height, padding: 0, border: 0 }} /></tr> : null);

  return (
    <div className="compare-scroll" ref={scroll} tabIndex={0} role="region" aria-label="Comparison">
      <table className="compare-table" aria-rowcount={lines.length + 1} style={{ width: `calc(${keyWidth} + ${order.length * runWidth + 20}px)`, minWidth: "100%" }}>
        <colgroup>
          <col style={{ width: keyWidth }} />
          {order.map((index) => <col key={runs[index]!.info.run_id} style={{ width: `clamp(${runWidth}px, calc((100vw - ${keyWidth} - 240px) / ${order.length}), ${runWidthMost}px)` }} />)}
          <col />
        </colgroup>
        <thead>
          <tr>
            <td className="compare-key" />
            {order.map((index) => (
              <RunHead key={runs[index]!.info.run_id} run={runs[index]!} isBaseline={index === baseline} onBaseline={onBaseline} onRemove={onRemove} />
            ))}
            <td />
          </tr>
        </thead>
        <tbody>
          {spacer(before)}
          {items.map((item) => {
            const line = lines[item.index]!;
            if ("heading" in line) {
              return (
                <tr key={line.heading} className="compare-heading" aria-rowindex={item.index + 2}>
                  <th scope="rowgroup" className="compare-key">{line.heading}</th>
                  <td colSpan={columnCount - 1} />
                </tr>
              );
            }
            return <ValueRow key={line.row.id} row={line.row} order={order} baseline={baseline} sort={sort} rowIndex={item.index + 2} onSort={onSort} />;
          })}
          {spacer(after)}
        </tbody>
      </table>
    </div>
  );
}

function RunHead({ run, isBaseline, onBaseline, onRemove }: { run: Run; isBaseline: boolean; onBaseline: (runId: string | undefined) => void; onRemove: (runId: string) => void }) {
  const project = useProject();
  const { run_id: runId } = run.info;
  const name = run.info.run_name || runId;
  return (
    <th scope="col" className={isBaseline ? "baseline" : ""}>
      <span className="row">
        <Swatch runId={runId} />
        <AppLink className="ellipsis" href={paths.run(project, runId)} title={name}>{name}</AppLink>
      </span>
      <span className="row head-actions">
        <button type="button" className="head-action" aria-pressed={isBaseline} aria-label={isBaseline ? `Unpin baseline ${name}` : `Pin ${name} as baseline`} title={isBaseline ? "Unpin the baseline" : "Pin as baseline: other runs show their difference to it"} onClick={() => onBaseline(isBaseline ? undefined : runId)}>
          {isBaseline ? <PinOff size={13} /> : <Pin size={13} />}
          {isBaseline ? "Baseline" : null}
        </button>
        <button type="button" className="head-action push" aria-label={`Remove ${name} from the comparison`} title="Remove from the comparison" onClick={() => onRemove(runId)}>
          <X size={13} />
        </button>
      </span>
    </th>
  );
}

interface ValueRowProps {
  row: Row;
  order: number[];
  baseline: number;
  sort: string;
  rowIndex: number;
  onSort: (id: string) => void;
}

function ValueRow({ row, order, baseline, sort, rowIndex, onSort }: ValueRowProps) {
  const best = row.kind === "metrics" ? bestValue(row.key, row.values as (number | undefined)[]) : undefined;
  const sorted = parseSort(sort);
  const isSorted = sorted?.id === row.id;
  const base = baseline < 0 ? undefined : row.values[baseline];
  const label = row.kind === "attributes" ? attributeTitles[row.key] : row.key;
  return (
    <tr aria-rowindex={rowIndex}>
      <th scope="row" className="compare-key" aria-sort={isSorted ? (sorted.isDescending ? "descending" : "ascending") : undefined}>
        <button type="button" className="sort-head" title={`Sort the runs by ${label}`} onClick={() => onSort(row.id)}>
          <span className="ellipsis">{label}</span>
          {isSorted ? <span aria-hidden="true">{sorted.isDescending ? "↓" : "↑"}</span> : null}
        </button>
      </th>
      {order.map((index) => (
        <Cell key={index} row={row} value={row.values[index]} base={index === baseline ? undefined : base} isBaseline={index === baseline} isBest={best !== undefined && row.values[index] === best} />
      ))}
      <td />
    </tr>
  );
}

function Cell({ row, value, base, isBaseline, isBest }: { row: Row; value: CellValue; base: CellValue; isBaseline: boolean; isBest: boolean }) {
  const mark = isBaseline ? "baseline" : "";
  if (value === undefined) return <td className={`${mark} ${row.kind === "metrics" ? "number" : ""}`}><span className="muted">–</span></td>;
  if (row.kind === "metrics") {
    const number = Number(value);
    const delta = base === undefined ? Number.NaN : number - Number(base);
    return (
      <td className={`number ${mark}`} title={String(value)}>
        {isBest ? <span className="best"><Star size={11} aria-hidden="true" /><span className="visually-hidden">best</span></span> : null}
        {isBest ? <strong>{formatNumber(number)}</strong> : formatNumber(number)}
        {Number.isFinite(delta) ? <span className="delta">{formatDelta(Number(delta.toPrecision(3)))}</span> : null}
      </td>
    );
  }
  if (row.kind === "attributes") return <td className={`ellipsis ${mark}`}>{attributeText(row.key, value)}</td>;
  const differs = base !== undefined && !sameValue(base, value);
  return <td className={`ellipsis ${mark} ${differs ? "differs" : ""}`} title={String(value)}>{String(value)}</td>;
}

function attributeText(key: string, value: string | number) {
  if (key === "status") return <Status status={value as RunStatus} />;
  if (key === "start_time") return formatMinute(Number(value));
  if (key === "duration") return formatDuration(Number(value));
  return String(value);
}
