import { useMemo, useRef, useState } from "react";
import type { Run } from "../../api/mlflow";
import { AppLink, useGo, useProject, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { cssColor, runColor } from "../../charts/run-style";
import { Empty } from "../../components/empty";
import { Swatch } from "../../components/swatch";
import { defaultScatter, makeDimension, type Dimension } from "./dimensions";
import type { Row } from "./rows";
import { useWidth } from "../../components/use-width";
import { scatterView } from "./view";

const height = 400;
const edges = { left: 84, right: 24, top: 16, bottom: 52 };

export function Scatter({ runs, rows }: { runs: Run[]; rows: Row[] }) {
  const [view, setView] = useView(scatterView);
  const choices = rows.filter((row) => row.kind === "metrics" || row.kind === "params");
  const suggested = useMemo(() => defaultScatter(rows), [rows]);
  const xId = view.x ?? suggested.x ?? choices[0]?.id;
  const yId = view.y ?? suggested.y ?? choices[0]?.id;
  const dimensionOf = (id: string | undefined, log: "auto" | "1" | "0") => {
    const row = choices.find((candidate) => candidate.id === id);
    return row && makeDimension(row, log === "auto" ? undefined : log === "1");
  };
  const x = useMemo(() => dimensionOf(xId, view.logX), [xId, view.logX, rows]);
  const y = useMemo(() => dimensionOf(yId, view.logY), [yId, view.logY, rows]);
  if (!x || !y) return <Empty title="Nothing to draw"><p>These runs have no metric and no param.</p></Empty>;
  const missing = runs.filter((_, run) => x.values[run] === undefined || y.values[run] === undefined).length;
  return (
    <div className="stack">
      <div className="row wrap">
        <AxisSelect label="Across" value={x.id} rows={choices} onChange={(id) => setView({ x: id }, { replace: true })} />
        {x.isNumeric ? <Check label="Log" checked={x.isLog} onChange={(isLog) => setView({ logX: isLog ? "1" : "0" }, { replace: true })} /> : null}
        <AxisSelect label="Up" value={y.id} rows={choices} onChange={(id) => setView({ y: id }, { replace: true })} />
        {y.isNumeric ? <Check label="Log" checked={y.isLog} onChange={(isLog) => setView({ logY: isLog ? "1" : "0" }, { replace: true })} /> : null}
        {missing ? <span className="muted push">{missing} of {runs.length} runs lack one of the two or cannot stand on a log axis.</span> : null}
      </div>
      <ScatterChart runs={runs} x={x} y={y} />
      <ScatterTable runs={runs} x={x} y={y} />
    </div>
  );
}

function Check({ label, checked, onChange }: { label: string; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label className="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}

function AxisSelect({ label, value, rows, onChange }: { label: string; value: string; rows: Row[]; onChange: (id: string) => void }) {
  return (
    <label className="row">
      {label}
      <select className="select" style={{ maxWidth: 240 }} value={value} onChange={(event) => onChange(event.target.value)}>
        {(["metrics", "params"] as const).map((kind) => (
          <optgroup key={kind} label={kind === "metrics" ? "Metrics" : "Params"}>
            {rows.filter((row) => row.kind === kind).map((row) => <option key={row.id} value={row.id}>{row.key}</option>)}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

function ScatterChart({ runs, x, y }: { runs: Run[]; x: Dimension; y: Dimension }) {
  const project = useProject();
  const go = useGo();
  const host = useRef<HTMLDivElement>(null);
  const width = useWidth(host);
  const [focused, setFocused] = useState<number>();
  const spanX = width - edges.left - edges.right;
  const spanY = height - edges.top - edges.bottom;
  // A little room, so that the outermost points do not lie on the frame.
  const inside = (share: number) => 0.03 + share * 0.94;
  const placeX = (value: number) => edges.left + inside(x.at(value)) * spanX;
  const placeY = (value: number) => edges.top + (1 - inside(y.at(value))) * spanY;
  const points = runs.flatMap((run, index) => {
    const [across, up] = [x.values[index], y.values[index]];
    return across === undefined || up === undefined ? [] : [{ run, index, cx: placeX(across), cy: placeY(up) }];
  });
  const near = points.find((point) => point.index === focused);
  return (
    <div className="scatter" ref={host} style={{ height }}>
      {width ? (
        <svg width={width} height={height} className="own-chart" role="img" aria-label={`${y.key} over ${x.key}, ${points.length} runs; the table below holds the values`}>
          {y.ticks.map((tick) => (
            <g key={tick.value}>
              <line x1={edges.left} x2={width - edges.right} y1={placeY(tick.value)} y2={placeY(tick.value)} className="grid" />
              <text x={edges.left - 8} y={placeY(tick.value) + 4} textAnchor="end">{tick.label.slice(0, 14)}</text>
            </g>
          ))}
          {x.ticks.map((tick) => (
            <g key={tick.value}>
              <line x1={placeX(tick.value)} x2={placeX(tick.value)} y1={edges.top} y2={height - edges.bottom} className="grid" />
              <text x={placeX(tick.value)} y={height - edges.bottom + 16} textAnchor="middle">{tick.label.slice(0, 14)}</text>
            </g>
          ))}
          <line x1={edges.left} x2={width - edges.right} y1={height - edges.bottom} y2={height - edges.bottom} className="axis" />
          <line x1={edges.left} x2={edges.left} y1={edges.top} y2={height - edges.bottom} className="axis" />
          <text x={edges.left + spanX / 2} y={height - 14} textAnchor="middle" className="axis-title">{x.key}{x.isLog ? " (log)" : ""}</text>
          <text transform={`translate(16 ${edges.top + spanY / 2}) rotate(-90)`} textAnchor="middle" className="axis-title">{y.key}{y.isLog ? " (log)" : ""}</text>
          {points.map(({ run, index, cx, cy }) => (
            <circle
              key={run.info.run_id}
              cx={cx}
              cy={cy}
              r={index === focused ? 7 : 5}
              fill={cssColor(runColor(run.info.run_id))}
              className="scatter-point"
              onPointerEnter={() => setFocused(index)}
              onPointerLeave={() => setFocused(undefined)}
              onClick={() => go(paths.run(project, run.info.run_id))}
            />
          ))}
        </svg>
      ) : null}
      {near ? (
        <div className="readout" aria-hidden="true" style={{ top: Math.max(4, near.cy - 60), ...(near.cx > width / 2 ? { right: width - near.cx + 12 } : { left: near.cx + 12 }) }}>
          <div className="ellipsis">{near.run.info.run_name || near.run.info.run_id}</div>
          {[x, y].map((dimension) => (
            <div key={dimension.id} className="row">
              <span className="muted ellipsis">{dimension.key}</span>
              <strong className="push">{dimension.texts[near.index]}</strong>
            </div>
          ))}
        </div>
      ) : null}
    </div>
  );
}

function ScatterTable({ runs, x, y }: { runs: Run[]; x: Dimension; y: Dimension }) {
  const project = useProject();
  return (
    <details className="twin">
      <summary>As a table</summary>
      <table className="table inset" style={{ maxWidth: 720 }}>
        <thead>
          <tr>
            <th>Run</th>
            <th className="number">{x.key}</th>
            <th className="number">{y.key}</th>
          </tr>
        </thead>
        <tbody>
          {runs.map(({ info }, index) => (
            <tr key={info.run_id}>
              <td><span className="row"><Swatch runId={info.run_id} /><AppLink href={paths.run(project, info.run_id)}>{info.run_name || info.run_id}</AppLink></span></td>
              <td className="number">{x.texts[index]}</td>
              <td className="number">{y.texts[index]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
