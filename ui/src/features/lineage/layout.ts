// Places a neighbourhood of the lineage graph in columns: causes left, results right, every edge leading to the right.
import type { Lineage } from "../../api/native";

export interface PlacedNode {
  name: string;
  kind: string;
  x: number;
  y: number;
}

export interface PlacedEdge {
  from: PlacedNode;
  to: PlacedNode;
  kind: string;
}

export const nodeWidth = 190;
export const nodeHeight = 42;
export const columnGap = 84;
const rowGap = 14;

export function layoutLineage(graph: Lineage): { nodes: PlacedNode[]; edges: PlacedEdge[]; width: number; height: number } {
  const columns = columnsOf(graph);
  sortByNeighbours(columns, graph);

  const kinds = new Map(graph.nodes.map((node) => [node.name, node.kind]));
  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const height = tallest * (nodeHeight + rowGap) - rowGap;
  const placed = new Map<string, PlacedNode>();
  columns.forEach((column, columnIndex) => {
    const top = (height - (column.length * (nodeHeight + rowGap) - rowGap)) / 2;
    column.forEach((name, rowIndex) => {
      placed.set(name, { name, kind: kinds.get(name)!, x: columnIndex * (nodeWidth + columnGap), y: top + rowIndex * (nodeHeight + rowGap) });
    });
  });
  const edges = graph.edges.flatMap(({ from, to, kind }) => {
    const start = placed.get(from);
    const end = placed.get(to);
    return start && end ? [{ from: start, to: end, kind }] : [];
  });
  return { nodes: [...placed.values()], edges, width: columns.length * (nodeWidth + columnGap) - columnGap, height };
}

/** Columns by the server's depth; a cause of something in its own column moves on to the left, a result to the right. */
function columnsOf(graph: Lineage): string[][] {
  const depths = new Map(graph.nodes.map((node) => [node.name, node.depth]));
  const ranks = new Map<string, number>();
  // A circle is cut where the walk meets it again.
  const onTheWay = new Set<string>();
  const rankOf = (name: string): number => {
    const known = ranks.get(name);
    if (known !== undefined) return known;
    const depth = depths.get(name)!;
    const side = Math.sign(depth);
    onTheWay.add(name);
    const nearer = graph.edges
      .flatMap(({ from, to }) => (side < 0 && from === name ? [to] : side > 0 && to === name ? [from] : []))
      .filter((other) => depths.has(other) && !onTheWay.has(other) && Math.sign(depths.get(other)!) !== -side);
    const steps = Math.max(Math.abs(depth), ...nearer.map((other) => Math.abs(rankOf(other)) + 1));
    onTheWay.delete(name);
    ranks.set(name, side * steps);
    return side * steps;
  };
  const columns = new Map<number, string[]>();
  for (const { name } of graph.nodes) columns.set(rankOf(name), [...(columns.get(rankOf(name)) ?? []), name]);
  return [...columns].sort(([a], [b]) => a - b).map(([, names]) => names.sort());
}

/** Orders each column by the mean place of its neighbours in the column before, twice: most crossings go. */
function sortByNeighbours(columns: string[][], graph: Lineage) {
  const neighbours = new Map<string, string[]>();
  for (const { from, to } of graph.edges) {
    neighbours.set(from, [...(neighbours.get(from) ?? []), to]);
    neighbours.set(to, [...(neighbours.get(to) ?? []), from]);
  }
  const sortAgainst = (column: string[], other: string[]) => {
    const place = new Map(other.map((name, index) => [name, index / Math.max(1, other.length - 1)]));
    const mean = (name: string) => {
      const places = (neighbours.get(name) ?? []).map((near) => place.get(near)).filter((at) => at !== undefined);
      return places.length ? places.reduce((sum, at) => sum + at, 0) / places.length : 0.5;
    };
    column.sort((a, b) => mean(a) - mean(b) || a.localeCompare(b));
  };
  for (let pass = 0; pass < 2; pass += 1) {
    for (let at = 1; at < columns.length; at += 1) sortAgainst(columns[at]!, columns[at - 1]!);
    for (let at = columns.length - 2; at >= 0; at -= 1) sortAgainst(columns[at]!, columns[at + 1]!);
  }
}
