import { formatDuration, formatNumber } from "../components/format";
import { tableRows, type PlotLine, type XAxis } from "./chart-data";

const shownAtMost = 500;

/** The chart as a table: for readers who do not see the canvas, and for exact values. */
export function ChartTable({ plots, x, label }: { plots: PlotLine[]; x: XAxis; label: string }) {
  const rows = tableRows(plots);
  return (
    <div className="chart-table" tabIndex={0} role="region" aria-label={`${label}, as a table`}>
      <table className="table sticky inset">
        <thead>
          <tr>
            <th>{x === "step" ? "Step" : "Time"}</th>
            {plots.map((plot) => (
              <th key={plot.line.id} className="number">{plot.line.label}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, shownAtMost).map((row) => (
            <tr key={row.x}>
              <td>{x === "step" ? formatNumber(row.x) : formatDuration(row.x * 1000)}</td>
              {row.cells.map((cell, index) => (
                <td key={index} className="number">{cell === null ? "" : formatNumber(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > shownAtMost ? <p className="muted">The first {shownAtMost} of {rows.length} rows.</p> : null}
    </div>
  );
}
