import type { QueryClient } from "@tanstack/react-query";

/** Asks again for what is shown of a room, or of a thing in it, and for the lineage: what a change made stands beside it there. */
export async function reloadRoom(client: QueryClient, queryKey: readonly [room: string, project: string, thing?: string]): Promise<void> {
  await Promise.all([client.invalidateQueries({ queryKey }), client.invalidateQueries({ queryKey: ["lineage", queryKey[1]] })]);
}
