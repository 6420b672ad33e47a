import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { native, type Lineage, type LedgerEvent } from "../../api/native";
import { useLiveEvents } from "../../app/live";
import { useProject } from "../../app/navigation";
import { useGathered } from "../../app/use-gathered";

export type Direction = "both" | "up" | "down";

const gatherMs = 600;

/** Whether an event connects something with the thing `name` or with what is shown around it. */
export function touches({ edges }: Pick<LedgerEvent, "edges">, name: string, shown?: Pick<Lineage, "nodes">): boolean {
  const isShown = (one: string) => one === name || Boolean(shown?.nodes.some((node) => node.name === one));
  return edges.some(({ from, to }) => isShown(from) || isShown(to));
}

/** The neighbourhood of a thing, fresh while it is shown; `isKept` until that of the next one is there. */
export function useLineage(name: string, direction: Direction, depth: number, { isKept = false } = {}) {
  const project = useProject();
  const client = useQueryClient();
  const queryKey = ["lineage", project, name, direction, depth];
  const lineage = useQuery({
    queryKey,
    queryFn: ({ signal }) => native.lineage(project, { name, direction, depth }, signal),
    enabled: name !== "",
    placeholderData: isKept ? keepPreviousData : undefined,
    // Nobody hears what happens while it is not shown.
    staleTime: 0,
  });
  const reloadSoon = useGathered(() => void client.invalidateQueries({ queryKey, exact: true }), gatherMs);
  useLiveEvents(project, (event) => touches(event, name, lineage.data) && reloadSoon(), reloadSoon);
  return lineage;
}
