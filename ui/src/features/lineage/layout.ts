// Places a neighbourhood of the lineage graph: one column per step from the centre, causes left, results right.
import type { Lineage } from "../../api/native";

export interface PlacedNode {
  name: string;
  kind: string;
  depth: number;
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
const columnGap = 84;
const rowGap = 14;

export function layoutLineage(graph: Lineage): { nodes: PlacedNode[]; edges: PlacedEdge[]; width: number; height: number } {
  const depths = [...new Set(graph.nodes.map((node) => node.depth))].sort((a, b) => a - b);
  const columns = depths.map((depth) => graph.nodes.filter((node) => node.depth === depth).map((node) => node.name).sort());
  sortByNeighbours(columns, graph);

  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const height = tallest * (nodeHeight + rowGap) - rowGap;
  const placed = new Map<string, PlacedNode>();
  columns.forEach((column, columnIndex) => {
    const top = (height - (column.length * (nodeHeight + rowGap) - rowGap)) / 2;
    column.forEach((name, rowIndex) => {
      const node = graph.nodes.find((candidate) => candidate.name === name)!;
      placed.set(name, { name, kind: node.kind, depth: node.depth, x: columnIndex * (nodeWidth + columnGap), y: top + rowIndex * (nodeHeight + rowGap) });
    });
  });
  const edges = graph.edges.flatMap(({ from, to, kind }) => {
    const start = placed.get(from);
    const end = placed.get(to);
    return start && end ? [{ from: start, to: end, kind }] : [];
  });
  return { nodes: [...placed.values()], edges, width: columns.length * (nodeWidth + columnGap) - columnGap, height };
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
