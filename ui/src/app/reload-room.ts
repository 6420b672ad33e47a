import type { QueryClient } from "@tanstack/react-query";

/** Asks again for what is shown of a room, and for the lineage: what a change made stands beside it there. */
export async function reloadRoom(client: QueryClient, [room, project]: readonly [room: string, project: string]): Promise<void> {
  await Promise.all([client.invalidateQueries({ queryKey: [room, project] }), client.invalidateQueries({ queryKey: ["lineage", project] })]);
}
