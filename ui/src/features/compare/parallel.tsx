import { useMemo, useState } from "react";
import type { Run } from "../../api/mlflow";
import { AppLink, useProject, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { Button } from "../../components/button";
import { Empty } from "../../components/empty";
import { formatNumber, plural } from "../../components/format";
import { Swatch } from "../../components/swatch";
import { AxisChooser } from "./axis-chooser";
import { scaleGradient } from "./color-scale";
import { defaultAxes, makeDimension, parseRange, printRange, runsInRanges, type AxisRange, type Dimension } from "./dimensions";
import { ParallelChart } from "./parallel-chart";
import type { Row } from "./rows";
import { parallelView } from "./view";

const axesAtMost = 16;

export function Parallel({ runs, rows }: { runs: Run[]; rows: Row[] }) {
  const [view, setView] = useView(parallelView);
  const [focused, setFocused] = useState<number>();
  const axes = view.axes ?? defaultAxes(rows);
  const rowOf = (id: string) => rows.find((row) => row.id === id);
  const dimensions = useMemo(() => axes.flatMap((id) => rowOf(id) ?? []).slice(0, axesAtMost).map((row) => makeDimension(row)), [axes.join(), rows]);
  const colorId = view.color ?? dimensions.findLast((dimension) => dimension.id.startsWith("metrics."))?.id;
  const color = useMemo(() => {
    const row = colorId ? rowOf(colorId) : undefined;
    return row && makeDimension(row);
  }, [colorId, rows]);
  const ranges = view.ranges.map(parseRange).filter((range): range is AxisRange => range !== undefined && dimensions.some((dimension) => dimension.id === range.id));
  const inRange = runsInRanges(dimensions, ranges, runs.length);
  const count = inRange.filter(Boolean).length;
  const names = runs.map((run) => run.info.run_name || run.info.run_id);
  const setRange = (id: string, range: { from: number; to: number } | undefined) => {
    const others = ranges.filter((other) => other.id !== id);
    setView({ ranges: (range ? [...others, { id, ...range }] : others).map(printRange) }, { replace: true });
  };

  return (
    <div className="stack">
      <div className="row wrap">
        <AxisChooser rows={rows} chosen={axes} atMost={axesAtMost} isDefault={view.axes === undefined} onChange={(next) => setView({ axes: next }, { replace: true })} />
        <label className="row">
          Colour
          <select className="select" style={{ maxWidth: 220 }} value={colorId ?? ""} onChange={(event) => setView({ color: event.target.value || undefined }, { replace: true })}>
            {rows.filter((row) => row.kind === "metrics" || row.kind === "params").map((row) => <option key={row.id} value={row.id}>{row.key}</option>)}
          </select>
        </label>
        {color ? (
          <span className="row muted">
            {color.isNumeric ? formatNumber(color.min) : color.ticks[0]?.label}
            <span className="gradient" style={{ background: scaleGradient }} aria-hidden="true" />
            {color.isNumeric ? formatNumber(color.max) : color.ticks.at(-1)?.label}
          </span>
        ) : null}
        <span className="push row">
          <span role="status">{ranges.length ? `${count} of ${plural(runs.length, "run")} in the marked ranges` : ""}</span>
          {ranges.length ? <Button size="small" onClick={() => setView({ ranges: [] }, { replace: true })}>Clear ranges</Button> : null}
          {ranges.length && count > 1 && count < runs.length ? <CompareThese ids={runs.filter((_, index) => inRange[index]).map((run) => run.info.run_id)} /> : null}
        </span>
      </div>
      {dimensions.length < 2 ? (
        <Empty title="Choose two axes or more"><p>These runs differ in too few params and metrics to choose for you.</p></Empty>
      ) : (
        <>
          <ParallelChart names={names} dimensions={dimensions} color={color} ranges={ranges} inRange={inRange} focused={focused} onFocus={setFocused} onRange={setRange} />
          <RangesTable runs={runs} dimensions={dimensions} ranges={ranges} inRange={inRange} focused={focused} onFocus={setFocused} onRange={setRange} />
        </>
      )}
    </div>
  );
}

function CompareThese({ ids }: { ids: string[] }) {
  const project = useProject();
  return <AppLink className="button small" href={paths.compare(project, { runs: ids.join(",") })}>Compare these</AppLink>;
}

interface RangesTableProps {
  runs: Run[];
  dimensions: Dimension[];
  ranges: AxisRange[];
  inRange: boolean[];
  focused: number | undefined;
  onFocus: (run: number | undefined) => void;
  onRange: (id: string, range: { from: number; to: number } | undefined) => void;
}

/** The chart as a table; its head marks ranges by keyboard. */
function RangesTable({ runs, dimensions, ranges, inRange, focused, onFocus, onRange }: RangesTableProps) {
  const project = useProject();
  const order = runs.map((_, index) => index).sort((a, b) => Number(inRange[b]) - Number(inRange[a]));
  return (
    <div className="ranges-scroll" tabIndex={0} role="region" aria-label="Runs and their values">
      <table className="table inset ranges">
        <thead>
          <tr>
            <th>Run</th>
            {dimensions.map((dimension) => <th key={dimension.id} className={dimension.isNumeric ? "number" : ""}>{dimension.key}</th>)}
          </tr>
          <tr>
            <th className="muted">Range</th>
            {dimensions.map((dimension) => (
              <th key={dimension.id} className={dimension.isNumeric ? "number" : ""}>
                <RangeFields dimension={dimension} range={ranges.find((range) => range.id === dimension.id)} onRange={(range) => onRange(dimension.id, range)} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {order.map((index) => {
            const { run_id: runId, run_name: name } = runs[index]!.info;
            return (
              <tr key={runId} data-current={index === focused} className={inRange[index] ? "" : "deleted"} onPointerEnter={() => onFocus(index)} onPointerLeave={() => onFocus(undefined)}>
                <td>
                  <span className="row" style={{ maxWidth: 260 }}>
                    <Swatch runId={runId} />
                    <AppLink className="ellipsis" href={paths.run(project, runId)} onFocus={() => onFocus(index)} onBlur={() => onFocus(undefined)}>{name || runId}</AppLink>
                    {inRange[index] ? null : <span className="visually-hidden">outside the ranges</span>}
                  </span>
                </td>
                {dimensions.map((dimension) => <td key={dimension.id} className={dimension.isNumeric ? "number" : ""}>{dimension.texts[index]}</td>)}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function RangeFields({ dimension, range, onRange }: { dimension: Dimension; range: AxisRange | undefined; onRange: (range: { from: number; to: number } | undefined) => void }) {
  if (!dimension.isNumeric) {
    const chosen = range && range.to - range.from < 1 ? String(Math.round((range.from + range.to) / 2)) : "";
    return (
      <select
        className="select small"
        aria-label={`Only runs with this ${dimension.key}`}
        value={chosen}
        onChange={(event) => onRange(event.target.value === "" ? undefined : { from: Number(event.target.value) - 0.4, to: Number(event.target.value) + 0.4 })}
      >
        <option value="">{range && !chosen ? "marked" : "all"}</option>
        {dimension.ticks.map((tick) => <option key={tick.value} value={tick.value}>{tick.label}</option>)}
      </select>
    );
  }
  const change = (end: "from" | "to", text: string) => {
    const value = text.trim() === "" ? (end === "from" ? dimension.min : dimension.max) : Number(text);
    if (!Number.isFinite(value)) return;
    const next = { from: range?.from ?? dimension.min, to: range?.to ?? dimension.max, [end]: value };
    onRange(next.from <= dimension.min && next.to >= dimension.max ? undefined : next);
  };
  return (
    <span className="row range-fields">
      {(["from", "to"] as const).map((end) => (
        <input
          key={`${end} ${range?.[end]}`}
          className="input"
          inputMode="decimal"
          aria-label={`${dimension.key} ${end}`}
          placeholder={String(Number((end === "from" ? dimension.min : dimension.max).toPrecision(3)))}
          defaultValue={range ? Number(range[end].toPrecision(4)) : ""}
          onBlur={(event) => event.target.value !== event.target.defaultValue && change(end, event.target.value)}
          onKeyDown={(event) => event.key === "Enter" && change(end, event.currentTarget.value)}
        />
      ))}
    </span>
  );
}
