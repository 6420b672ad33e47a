// What came from a thing; of a data commit, later commits of its own repository left out: they hold it, they do not use it.
import type { Lineage } from "../../api/native";
import { parseName } from "../../components/names";

export interface User {
  name: string;
  steps: number;
  /** Kinds of the edges that lead to it. */
  how: string[];
}

/** Nearest first. */
export function usersOf({ edges }: Pick<Lineage, "edges">, thing: string): User[] {
  const { project, kind, id } = parseName(thing);
  const [repository, commit] = id.split("@");
  const isOwn = (name: string) => kind === "data" && commit !== undefined && name.startsWith(`${project}/data/${repository}@`);
  const found = new Map<string, User>();
  for (let [near, steps] = [new Set([thing]), 1]; near.size; steps += 1) {
    const next = new Set<string>();
    for (const { from, to, kind: how } of edges) {
      if (!near.has(from) || to === thing || isOwn(to)) continue;
      const known = found.get(to);
      if (!known) found.set(to, { name: to, steps, how: [how] });
      else if (!known.how.includes(how)) known.how.push(how);
      if (!known) next.add(to);
    }
    near = next;
  }
  return [...found.values()].sort((a, b) => a.steps - b.steps || a.name.localeCompare(b.name));
}
