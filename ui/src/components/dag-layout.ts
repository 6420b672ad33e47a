// Places a graph of jobs: the server says in which layer each stands, this orders the layers and draws the lines.
import { placeColumns, sortByNeighbours, type Box } from "./layered";

export interface DagNode<State extends string = string> {
  id: string;
  label: string;
  /** Absent in the graph of a file: nothing of it ran. */
  state?: State;
  /** 0 for what needs nothing; what needs others stands in a later layer than they do. */
  layer: number;
  href: string;
  /** A second line: how long it took, how many of a matrix. */
  note?: string;
}

export interface DagEdge {
  from: string;
  to: string;
}

export const dagBox = { width: 160, height: 44, columnGap: 30, rowGap: 14 };

export interface DagLayout {
  boxes: Map<string, Box>;
  lines: { edge: DagEdge; path: string }[];
  /** Ids by layer, top to bottom. */
  columns: string[][];
  width: number;
  height: number;
}

export function layoutDag(nodes: readonly DagNode[], edges: readonly DagEdge[]): DagLayout {
  const layers = [...new Set(nodes.map(({ layer }) => layer))].sort((a, b) => a - b);
  const columns = layers.map((layer) => nodes.filter((node) => node.layer === layer).map(({ id }) => id));
  sortByNeighbours(columns, edges);
  const { boxes, width, height } = placeColumns(columns, dagBox);
  const lines = edges.flatMap((edge) => {
    const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)];
    return from && to ? [{ edge, path: linePath(from, to) }] : [];
  });
  return { boxes, lines, columns, width, height };
}

function linePath(from: Box, to: Box): string {
  const [startX, startY] = [from.x + dagBox.width, from.y + dagBox.height / 2];
  const [endX, endY] = [to.x, to.y + dagBox.height / 2];
  // A line over several layers bends in the gaps beside its ends, and passes between the rows of what lies in between.
  const bend = Math.min(dagBox.columnGap, Math.max(20, endX - startX) / 2);
  if (endX - startX <= dagBox.columnGap) return `M${startX} ${startY}C${startX + bend} ${startY} ${endX - bend} ${endY} ${endX} ${endY}`;
  const gapY = Math.max(startY, endY) + (dagBox.height + dagBox.rowGap) / 2;
  const [inX, outX] = [startX + dagBox.columnGap, endX - dagBox.columnGap];
  return `M${startX} ${startY}C${startX + bend} ${startY} ${inX - bend} ${gapY} ${inX} ${gapY}H${outX}C${outX + bend} ${gapY} ${endX - bend} ${endY} ${endX} ${endY}`;
}

export type DagStep = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

/** Where an arrow key leads: along the edges to the sides, within the layer up and down. */
export function stepFrom(id: string, key: DagStep, { columns }: Pick<DagLayout, "columns">, edges: readonly DagEdge[]): string | undefined {
  if (key === "ArrowRight") return edges.find((edge) => edge.from === id)?.to;
  if (key === "ArrowLeft") return edges.find((edge) => edge.to === id)?.from;
  const column = columns.find((each) => each.includes(id));
  return column?.[column.indexOf(id) + (key === "ArrowDown" ? 1 : -1)];
}
