// Places a neighbourhood of the lineage graph in columns: causes left, results right, every edge leading to the right.
import type { Lineage } from "../../api/native";
import { placeColumns, sortByNeighbours } from "../../components/layered";

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
export const columnGap = 76;
const rowGap = 14;

export function layoutLineage(graph: Lineage): { nodes: PlacedNode[]; edges: PlacedEdge[]; width: number; height: number } {
  const columns = columnsOf(graph);
  sortByNeighbours(columns, graph.edges);

  const kinds = new Map(graph.nodes.map((node) => [node.name, node.kind]));
  const { boxes, width, height } = placeColumns(columns, { width: nodeWidth, height: nodeHeight, columnGap, rowGap });
  const placed = new Map([...boxes].map(([name, box]) => [name, { name, kind: kinds.get(name)!, ...box }]));
  const edges = graph.edges.flatMap(({ from, to, kind }) => {
    const start = placed.get(from);
    const end = placed.get(to);
    return start && end ? [{ from: start, to: end, kind }] : [];
  });
  return { nodes: [...placed.values()], edges, width, height };
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
