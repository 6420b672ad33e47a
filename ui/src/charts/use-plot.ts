// uPlot inside React: made anew when its shape, its height or the theme changes; new points are set into it.
import { useEffect, useRef, type RefObject } from "react";
import uPlot, { type AlignedData, type Axis, type Options } from "uplot";
import "uplot/dist/uPlot.min.css";
import { useThemeKey } from "../app/theme";
import { resolveVariable } from "./run-style";

export interface PlotPointer {
  /** Pixels from the left of the host. */
  left: number;
  x: number;
}

interface PlotSetup {
  /** Stands for everything that `options` is made of. */
  shape: string;
  options: () => Omit<Options, "width" | "height">;
  data: AlignedData;
  height: number;
  /** The x axis is always of one kind: what was enlarged stays so in a chart that is made anew. */
  keepsRange?: boolean;
  onPointer: (pointer: PlotPointer | undefined) => void;
  /** Called with the marked range, when there are finer data for it; absent: the chart enlarges what it has. */
  onRange?: (from: number, to: number) => void;
}

/** The element that the returned ref is given to becomes the chart. */
export function usePlot({ shape, options, data, height, keepsRange = false, onPointer, onRange }: PlotSetup): RefObject<HTMLDivElement | null> {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const left = useRef<Pick<uPlot, "scales" | "data">>(undefined);
  const theme = useThemeKey();
  const latest = useRef({ options, data, onPointer, onRange });
  latest.current = { options, data, onPointer, onRange };
  const canRange = onRange !== undefined;

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const made = latest.current.options();
    const plot = new uPlot(
      {
        ...made,
        width: element.clientWidth || 300,
        height,
        cursor: { ...made.cursor, drag: { x: true, y: false, setScale: !canRange } },
        hooks: {
          ...made.hooks,
          setCursor: [
            (self) => {
              const { left, event } = self.cursor;
              latest.current.onPointer(event && left !== undefined && left >= 0 ? { left: left + self.bbox.left / devicePixelRatio, x: self.posToVal(left, "x") } : undefined);
            },
          ],
          setSelect: [
            (self) => {
              const { left, width } = self.select;
              if (!latest.current.onRange || width < 4) return;
              latest.current.onRange(Math.floor(self.posToVal(left, "x")), Math.ceil(self.posToVal(left + width, "x")));
              self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            },
          ],
        },
      },
      latest.current.data,
      element,
    );
    chart.current = plot;
    const held = keepsRange && left.current ? heldRange(left.current.scales.x, left.current.data[0], plot.data[0]) : undefined;
    if (held) plot.setScale("x", held);
    const observer = new ResizeObserver(() => {
      if (element.clientWidth) plot.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      left.current = { scales: plot.scales, data: plot.data };
      plot.destroy();
      chart.current = undefined;
    };
  }, [shape, height, theme, canRange, keepsRange]);

  useEffect(() => {
    const plot = chart.current;
    // A chart that was made just now has them.
    if (!plot || plot.data === data) return;
    // What somebody has enlarged stays so when new points come.
    const isHeld = heldRange(plot.scales.x, plot.data[0], data[0]) !== undefined;
    plot.setData(data, !isHeld);
    if (isHeld) plot.redraw();
  }, [data]);
  return host;
}

interface Range {
  min: number;
  max: number;
}

/** The part that somebody has enlarged: less than there was, and something of it is among the next points. */
export function heldRange({ min, max }: Partial<Range> = {}, xs: ArrayLike<number>, next: ArrayLike<number>): Range | undefined {
  if (min == null || max == null || xs.length < 2 || !next.length) return undefined;
  const isEnlarged = min > xs[0]! || max < xs[xs.length - 1]!;
  return isEnlarged && min < next[next.length - 1]! && max > next[0]! ? { min, max } : undefined;
}

/** Axes in the page's colours. */
export function axisStyle(): { x: Axis; y: Axis } {
  const stroke = resolveVariable("--text-3");
  const grid = { stroke: resolveVariable("--line"), width: 1 };
  const font = `11px ${resolveVariable("--font")}`;
  return {
    x: { stroke, font, grid: { show: false }, ticks: { ...grid, size: 4 }, size: 26, gap: 3 },
    y: { stroke, font, grid, ticks: { show: false }, size: 52, gap: 4 },
  };
}
