import { Pin, PinOff } from "lucide-react";
import type { MouseEvent } from "react";
import { toNumber, type RunRow } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { formatDelta, formatNumber } from "../../components/format";
import { Status } from "../../components/status";
import { Swatch } from "../../components/swatch";
import { Ago, Duration } from "../../components/time";
import type { RunColumn } from "./columns";

interface RunCellsProps {
  run: RunRow;
  columns: RunColumn[];
  showsExperiment: boolean;
  baseline?: RunRow;
  pinned?: boolean;
  isSelected?: boolean;
  onToggle?: (event: MouseEvent) => void;
  onBaseline: (runId: string | undefined) => void;
}

export function RunCells({ run, columns, showsExperiment, baseline, pinned, isSelected, onToggle, onBaseline }: RunCellsProps) {
  const project = useProject();
  const name = run.run_name || run.run_id;
  const isBaseline = pinned || baseline?.run_id === run.run_id;
  return (
    <>
      <td className="sticky-select">
        {pinned ? null : (
          <input type="checkbox" aria-label={`Select ${name}`} checked={isSelected} onClick={onToggle} onChange={() => {}} />
        )}
      </td>
      <td className="sticky-name">
        <span className="row">
          <Swatch runId={run.run_id} />
          <AppLink className="ellipsis" href={paths.run(project, run.run_id)} title={name}>
            {name}
          </AppLink>
          <button
            type="button"
            className="pin"
            aria-pressed={isBaseline}
            aria-label={isBaseline ? `Unpin baseline ${name}` : `Pin ${name} as baseline`}
            title={isBaseline ? "Unpin the baseline" : "Pin as baseline: other runs show their difference to it"}
            onClick={() => onBaseline(isBaseline ? undefined : run.run_id)}
          >
            {isBaseline ? <PinOff size={13} /> : <Pin size={13} />}
          </button>
        </span>
      </td>
      <td>
        <Status status={run.status} />
      </td>
      <td className="secondary">
        <Ago atMs={run.start_time_ms} />
      </td>
      <td className="number secondary">
        <Duration startMs={run.start_time_ms} endMs={run.end_time_ms} />
      </td>
      <td className="secondary ellipsis">{run.user}</td>
      {showsExperiment ? <td className="secondary ellipsis">{run.experiment_name}</td> : null}
      {columns.map((column, index) => (
        <ValueCell
          key={column.id}
          column={column}
          value={run.values[column.id]}
          base={isBaseline ? undefined : baseline?.values[column.id]}
          isFirst={columns[index - 1]?.kind !== column.kind}
        />
      ))}
      <td />
    </>
  );
}

type Value = RunRow["values"][string] | undefined;

function ValueCell({ column, value, base, isFirst }: { column: RunColumn; value: Value; base: Value; isFirst: boolean }) {
  const edge = isFirst ? "first-of-group" : "";
  if (value === undefined) return <td className={edge} />;
  if (column.kind !== "metrics") {
    const differs = base !== undefined && String(base) !== String(value);
    return (
      <td className={`ellipsis ${edge} ${differs ? "differs" : ""}`} title={String(value)}>
        {String(value)}
      </td>
    );
  }
  const number = toNumber(value);
  const delta = base === undefined ? undefined : number - toNumber(base);
  return (
    <td className={`number ${edge}`} title={String(value)}>
      {formatNumber(number)}
      {delta !== undefined && Number.isFinite(delta) ? <span className="delta">{formatDelta(Number(delta.toPrecision(3)))}</span> : null}
    </td>
  );
}
