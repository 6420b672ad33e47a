// A graph without the things of some kinds: what they stood between stays connected.
import type { Lineage } from "../../api/native";

/** How things are connected whose connection leads through hidden ones. */
export const indirectly = "indirectly";

/** The thing in the middle is shown whatever its kind. */
export function hideKinds(graph: Lineage, hidden: readonly string[]): Lineage {
  const nodes = graph.nodes.filter(({ name, kind }) => name === graph.center || !hidden.includes(kind));
  if (nodes.length === graph.nodes.length) return graph;
  const shown = new Set(nodes.map(({ name }) => name));
  const direct = graph.edges.filter(({ from, to }) => shown.has(from) && shown.has(to));
  const isDirect = new Set(direct.map(({ from, to }) => `${from} ${to}`));
  const around = nodes.flatMap(({ name }) =>
    reachThrough(graph, shown, name)
      .filter((to) => to !== name && !isDirect.has(`${name} ${to}`))
      .map((to) => ({ from: name, to, kind: indirectly })),
  );
  return { ...graph, nodes, edges: [...direct, ...around] };
}

/** The shown things that are reached from a shown one through one or more hidden ones. */
function reachThrough({ edges }: Lineage, shown: ReadonlySet<string>, start: string): string[] {
  const found = new Set<string>();
  const seen = new Set<string>();
  const following = edges.filter(({ from }) => from === start).map(({ to }) => to);
  for (let near = following.filter((to) => !shown.has(to)); near.length; ) {
    for (const name of near) seen.add(name);
    const next = edges.filter(({ from }) => near.includes(from)).map(({ to }) => to);
    for (const to of next) if (shown.has(to)) found.add(to);
    near = [...new Set(next)].filter((to) => !shown.has(to) && !seen.has(to));
  }
  return [...found];
}

/** How many things of each kind there are beside the one in the middle, in the order of the alphabet. */
export function countKinds({ nodes, center }: Pick<Lineage, "nodes" | "center">): { kind: string; example: string; count: number }[] {
  const counts = new Map<string, { kind: string; example: string; count: number }>();
  for (const { name, kind } of nodes) {
    if (name === center) continue;
    const known = counts.get(kind);
    if (known) known.count += 1;
    else counts.set(kind, { kind, example: name, count: 1 });
  }
  return [...counts.values()].sort((a, b) => a.kind.localeCompare(b.kind));
}
