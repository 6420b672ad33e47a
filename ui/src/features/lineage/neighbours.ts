// The nearest causes and results of one thing, for the side of its page.
import type { Lineage } from "../../api/native";

export interface Neighbour {
  name: string;
  kind: string;
  /** Steps away, 1 and more. */
  steps: number;
}

export interface Neighbours {
  up: Neighbour[];
  down: Neighbour[];
}

// A logged model stands between a run and its version and says little by itself.
const lateKinds = ["logged-model"];
const lateness = ({ kind }: Neighbour) => (lateKinds.includes(kind) ? 1 : 0);

/** Nearest first, and by name; the thing itself is in neither list. */
export function neighboursOf({ nodes, center }: Pick<Lineage, "nodes" | "center">): Neighbours {
  const side = (sign: number) =>
    nodes
      .filter(({ name, depth }) => name !== center && Math.sign(depth) === sign)
      .map(({ name, kind, depth }) => ({ name, kind, steps: Math.abs(depth) }))
      .sort((a, b) => a.steps - b.steps || lateness(a) - lateness(b) || a.name.localeCompare(b.name, undefined, { numeric: true }));
  return { up: side(-1), down: side(1) };
}
