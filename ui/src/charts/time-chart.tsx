// Values over clock time with bands, thresholds, marks and spans. The canvas is one labelled image; the table twin holds the values.
import { useMemo, useState } from "react";
import uPlot, { type AlignedData, type Band, type Options, type Series as PlotSeries } from "uplot";
import { formatDateTime, formatNumber } from "../components/format";
import "./charts.css";
import { nearestIndex } from "./line-chart";
import { dashPatterns, resolveColor, resolveVariable } from "./run-style";
import { hasBand, timeRows, timeTicks, valueRange, valueTicks, type Threshold, type TimeMark, type TimeSeries, type TimeSpan } from "./time-data";
import { axisStyle, usePlot, type PlotPointer } from "./use-plot";

interface TimeChartProps {
  label: string;
  /** Kept between renders: new ones are new data. */
  series: TimeSeries[];
  thresholds?: Threshold[];
  marks?: TimeMark[];
  spans?: TimeSpan[];
  /** With so many significant digits, where the usual ones do not tell two values apart. */
  format?: (value: number, digits?: number) => string;
  height?: number;
  /** Charts with one key show the same moment under the pointer. */
  syncKey?: string;
  onRange?: (fromMs: number, toMs: number) => void;
}

const none: never[] = [];
const rowsAtMost = 500;

export default function TimeChart({ label, series, thresholds = none, marks = none, spans = none, format = formatNumber, height = 200, syncKey, onRange }: TimeChartProps) {
  const [pointer, setPointer] = useState<PlotPointer>();
  const data = useMemo(() => joinSeries(series), [series]);
  const shape = JSON.stringify([series.map((each) => [each.id, each.color, each.dash, hasBand(each)]), thresholds, marks, spans, syncKey]);
  const host = usePlot({ shape, data, height, keepsRange: true, onPointer: setPointer, onRange, options: () => timeOptions({ series, thresholds, marks, spans, format, syncKey }) });
  return (
    <figure className="time-chart">
      <figcaption className="row wrap">
        {series.map((each) => (
          <span key={each.id} className="row"><Swatch series={each} />{each.label}</span>
        ))}
        {thresholds.map((threshold) => (
          <span key={threshold.label} className="row"><span className={`threshold-key ${threshold.severity}`} />{threshold.label} {format(threshold.value)}</span>
        ))}
        {spans.length ? <span className="row"><span className="span-key" />{[...new Set(spans.map((span) => span.label))].join(", ")}</span> : null}
      </figcaption>
      <div className="line-chart" style={{ height }} onMouseLeave={() => setPointer(undefined)}>
        <div ref={host} role="img" aria-label={label} />
        {pointer ? <Readout series={series} marks={marks} pointer={pointer} format={format} width={host.current?.clientWidth ?? 300} /> : null}
      </div>
      <details>
        <summary>As a table</summary>
        <TimeTable label={label} series={series} thresholds={thresholds} format={format} />
      </details>
    </figure>
  );
}

function Swatch({ series: { color, dash = 0 } }: { series: TimeSeries }) {
  return (
    <svg width={18} height={10} aria-hidden="true">
      <line x1={0} x2={18} y1={5} y2={5} stroke={`var(--run-${color})`} strokeWidth={2} strokeDasharray={dashPatterns[dash]?.join(" ")} />
    </svg>
  );
}

type ReadoutProps = Required<Pick<TimeChartProps, "series" | "marks" | "format">> & { pointer: PlotPointer; width: number };

function Readout({ series, marks, pointer, format, width }: ReadoutProps) {
  const rows = series.map((each) => ({ each, at: nearestIndex(each.timesMs, pointer.x) })).filter(({ at }) => at >= 0);
  if (!rows.length) return null;
  const atMs = rows[0]!.each.timesMs[rows[0]!.at]!;
  const nearMarks = marks.filter((mark) => nearestIndex(rows[0]!.each.timesMs, mark.atMs) === rows[0]!.at);
  const onRight = pointer.left > width / 2;
  return (
    <div className="readout" aria-hidden="true" style={onRight ? { right: width - pointer.left + 10 } : { left: pointer.left + 10 }}>
      <div className="muted nowrap">{formatDateTime(atMs)}</div>
      {rows.map(({ each, at }) => {
        const value = each.values[at];
        const [lower, upper] = [each.lower?.[at], each.upper?.[at]];
        return (
          <div key={each.id} className="row">
            <Swatch series={each} />
            <span className="ellipsis">{each.label}</span>
            <strong className="push nowrap">{value === null || value === undefined ? "–" : format(value)}{lower != null && upper != null ? ` (${format(lower)} to ${format(upper)})` : ""}</strong>
          </div>
        );
      })}
      {nearMarks.map((mark) => <div key={`${mark.atMs} ${mark.label}`}>{mark.label}</div>)}
    </div>
  );
}

function TimeTable({ label, series, thresholds, format }: Required<Pick<TimeChartProps, "label" | "series" | "thresholds" | "format">>) {
  const rows = timeRows(series, thresholds);
  return (
    <div className="time-table" tabIndex={0} role="region" aria-label={`${label}, as a table`}>
      <table className="table sticky inset">
        <thead>
          <tr>
            <th>Time</th>
            {series.map((each) => <th key={each.id} className="number">{each.label}</th>)}
            {thresholds.length ? <th>Threshold crossed</th> : null}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, rowsAtMost).map((row) => (
            <tr key={row.atMs}>
              <td className="nowrap">{formatDateTime(row.atMs)}</td>
              {row.values.map((value, index) => <td key={index} className="number">{value === null ? "" : format(value)}</td>)}
              {thresholds.length ? <td>{row.crossed.join(", ")}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > rowsAtMost ? <p className="muted">The newest {rowsAtMost} of {rows.length} rows.</p> : null}
    </div>
  );
}

function joinSeries(series: readonly TimeSeries[]): AlignedData {
  if (!series.length) return [[]];
  const tables = series.map((each) => {
    const band = hasBand(each) ? [each.upper, each.lower] : [];
    return [each.timesMs, ...band, each.values] as unknown as AlignedData;
  });
  return uPlot.join(tables);
}

type TimeShape = Required<Pick<TimeChartProps, "series" | "thresholds" | "marks" | "spans" | "format">> & { syncKey?: string };

function timeOptions({ series, thresholds, marks, spans, format, syncKey }: TimeShape): Omit<Options, "width" | "height"> {
  const axes = axisStyle();
  const drawn: PlotSeries[] = [{}];
  const bands: Band[] = [];
  for (const each of series) {
    const stroke = resolveColor(each.color);
    if (hasBand(each)) {
      const hidden: PlotSeries = { stroke: "transparent", width: 0, points: { show: false } };
      bands.push({ series: [drawn.length, drawn.length + 1], fill: `${stroke}26` });
      drawn.push(hidden, { ...hidden });
    }
    drawn.push({ stroke, width: 1.6, dash: [...(dashPatterns[each.dash ?? 0] ?? [])], spanGaps: false, points: { show: (_, __, from, to) => to - from < 2, size: 5 } });
  }
  return {
    ms: 1,
    series: drawn,
    bands,
    legend: { show: false },
    padding: [8, 12, 0, 0],
    scales: { x: { time: true }, y: { range: (_, low, high) => valueRange(low, high, thresholds) } },
    cursor: { points: { size: 6 }, y: false, ...(syncKey ? { sync: { key: syncKey, setSeries: false } } : {}) },
    axes: [{ ...axes.x, values: (_, splits, __, ___, stepMs) => timeTicks(splits, stepMs), space: 72 }, { ...axes.y, values: (_, splits) => valueTicks(splits, format), space: 32 }],
    hooks: { drawClear: [(plot) => drawSpans(plot, spans)], draw: [(plot) => drawThresholds(plot, thresholds), (plot) => drawMarks(plot, marks)] },
  };
}

function drawSpans(plot: uPlot, spans: readonly TimeSpan[]) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = resolveVariable("--bad-tint");
  for (const { fromMs, toMs } of spans) {
    const left = Math.max(bbox.left, plot.valToPos(fromMs, "x", true));
    const right = Math.min(bbox.left + bbox.width, toMs === undefined ? Infinity : plot.valToPos(toMs, "x", true));
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}

function drawThresholds(plot: uPlot, thresholds: readonly Threshold[]) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio * 1.4;
  for (const { value, severity } of thresholds) {
    const y = plot.valToPos(value, "y", true);
    ctx.strokeStyle = resolveVariable(severity === "critical" ? "--bad" : "--warn");
    ctx.setLineDash((severity === "critical" ? [7, 3] : [2, 3]).map((part) => part * devicePixelRatio));
    line(ctx, bbox.left, y, bbox.left + bbox.width, y);
  }
  ctx.restore();
}

function drawMarks(plot: uPlot, marks: readonly TimeMark[]) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = resolveVariable("--brass");
  ctx.lineWidth = devicePixelRatio;
  ctx.font = `${11 * devicePixelRatio}px ${resolveVariable("--font")}`;
  ctx.textBaseline = "top";
  for (const { atMs, label } of marks) {
    const x = plot.valToPos(atMs, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    line(ctx, x, bbox.top, x, bbox.top + bbox.height);
    const isRight = x + ctx.measureText(label).width + 8 > bbox.left + bbox.width;
    ctx.textAlign = isRight ? "right" : "left";
    ctx.fillText(label, x + (isRight ? -4 : 4) * devicePixelRatio, bbox.top);
  }
  ctx.restore();
}

function line(ctx: CanvasRenderingContext2D, fromX: number, fromY: number, toX: number, toY: number) {
  ctx.beginPath();
  ctx.moveTo(fromX, fromY);
  ctx.lineTo(toX, toY);
  ctx.stroke();
}
