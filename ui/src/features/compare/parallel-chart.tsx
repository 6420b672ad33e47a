// Parallel coordinates: one vertical axis per param or metric, one line per run. Dragging along an axis marks a range.
import { useRef, useState, type PointerEvent } from "react";
import { formatNumber } from "../../components/format";
import { colorOf } from "./color-scale";
import { valueAt, type AxisRange, type Dimension } from "./dimensions";
import { useWidth } from "../../components/use-width";

const height = 380;
const top = 44;
const bottom = 16;
const side = 64;
const leastDrag = 4;

interface ParallelChartProps {
  names: string[];
  dimensions: Dimension[];
  color: Dimension | undefined;
  ranges: AxisRange[];
  inRange: boolean[];
  focused: number | undefined;
  onFocus: (run: number | undefined) => void;
  onRange: (id: string, range: { from: number; to: number } | undefined) => void;
}

export function ParallelChart({ names, dimensions, color, ranges, inRange, focused, onFocus, onRange }: ParallelChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const width = useWidth(host);
  const step = dimensions.length > 1 ? Math.max(110, (width - 2 * side) / (dimensions.length - 1)) : 0;
  const wholeWidth = Math.max(width, 2 * side + step * (dimensions.length - 1));
  const span = height - top - bottom;
  const xOf = (axis: number) => (dimensions.length > 1 ? side + axis * step : wholeWidth / 2);
  const yOf = (dimension: Dimension, value: number) => top + (1 - dimension.at(value)) * span;
  const pathOf = (run: number) => {
    let path = "";
    let isDown = false;
    dimensions.forEach((dimension, axis) => {
      const value = dimension.values[run];
      if (value === undefined) {
        isDown = false;
        return;
      }
      path += `${isDown ? "L" : "M"}${xOf(axis).toFixed(1)} ${yOf(dimension, value).toFixed(1)}`;
      isDown = true;
    });
    return path;
  };
  // Lines inside the ranges lie above the others, and the one in focus above all.
  const drawn = names.map((_, run) => run).sort((a, b) => Number(inRange[a]) - Number(inRange[b]) || Number(a === focused) - Number(b === focused));

  return (
    <div className="parallel" ref={host}>
      {width ? (
        <svg width={wholeWidth} height={height} className="own-chart" role="img" aria-label={`Parallel coordinates of ${names.length} runs over ${dimensions.map((dimension) => dimension.key).join(", ")}; the table below holds the values`}>
          <g fill="none">
            {drawn.map((run) => {
              const path = pathOf(run);
              const isFocused = run === focused;
              return (
                <g key={run} onPointerEnter={() => onFocus(run)} onPointerLeave={() => onFocus(undefined)}>
                  <path d={path} stroke="transparent" strokeWidth={9} />
                  <path
                    d={path}
                    stroke={inRange[run] ? colorOf(color, run) : "var(--line-strong)"}
                    strokeWidth={isFocused ? 3.5 : 1.5}
                    opacity={inRange[run] ? (focused === undefined || isFocused ? 0.9 : 0.25) : 0.4}
                  />
                </g>
              );
            })}
          </g>
          {dimensions.map((dimension, axis) => (
            <Axis key={dimension.id} dimension={dimension} x={xOf(axis)} yOf={(value) => yOf(dimension, value)} room={Math.max(step, 110)} range={ranges.find((range) => range.id === dimension.id)} onRange={(range) => onRange(dimension.id, range)} />
          ))}
        </svg>
      ) : (
        <div style={{ height }} />
      )}
    </div>
  );
}

interface AxisProps {
  dimension: Dimension;
  x: number;
  yOf: (value: number) => number;
  room: number;
  range: AxisRange | undefined;
  onRange: (range: { from: number; to: number } | undefined) => void;
}

function Axis({ dimension, x, yOf, room, range, onRange }: AxisProps) {
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  const span = height - top - bottom;
  const placeOf = (event: PointerEvent<SVGRectElement>) => {
    const box = event.currentTarget.ownerSVGElement!.getBoundingClientRect();
    return Math.min(top + span, Math.max(top, event.clientY - box.top));
  };
  const marked = drag
    ? { y: Math.min(drag.from, drag.to), height: Math.abs(drag.to - drag.from) }
    : range
      ? { y: Math.max(top, yOf(range.to)), height: Math.min(top + span, yOf(range.from)) - Math.max(top, yOf(range.to)) }
      : undefined;
  const finish = () => {
    setDrag(undefined);
    if (!drag) return;
    if (Math.abs(drag.to - drag.from) < leastDrag) return onRange(undefined);
    const share = (y: number) => 1 - (y - top) / span;
    onRange({ from: valueAt(dimension, share(Math.max(drag.from, drag.to))), to: valueAt(dimension, share(Math.min(drag.from, drag.to))) });
  };
  const letters = Math.max(8, Math.floor(room / 7));
  const short = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  return (
    <g>
      <text x={x} y={18} textAnchor="middle" className="axis-title">
        <title>{dimension.id}</title>
        {short(dimension.key, letters)}
      </text>
      {dimension.isLog ? <text x={x} y={32} textAnchor="middle">log</text> : null}
      <line x1={x} x2={x} y1={top} y2={top + span} className="axis" />
      {dimension.ticks.map((tick) => (
        <text key={tick.label} x={x + 7} y={yOf(tick.value) + 4} className="tick">{short(tick.label, Math.floor(letters * 0.8))}</text>
      ))}
      {marked ? <rect x={x - 7} width={14} y={marked.y} height={Math.max(2, marked.height)} className="axis-range" /> : null}
      <rect
        x={x - 14}
        width={28}
        y={top - 4}
        height={span + 8}
        className="axis-grip"
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = placeOf(event);
          setDrag({ from: at, to: at });
        }}
        onPointerMove={(event) => {
          const to = placeOf(event);
          setDrag((current) => current && { ...current, to });
        }}
        onPointerUp={finish}
        onPointerCancel={() => setDrag(undefined)}
      >
        <title>{range ? `${formatNumber(range.from)} to ${formatNumber(range.to)}; click to clear` : "Drag to mark a range"}</title>
      </rect>
    </g>
  );
}
