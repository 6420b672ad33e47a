import { useQueryClient } from "@tanstack/react-query";
import { useLiveEvents } from "../../app/live";

const rooms = ["model.", "version.", "alias."];

/** Keeps what is shown of models fresh, and answers how to ask for it again after a change of one's own. */
export function useModelChanges(project: string): () => Promise<void> {
  const client = useQueryClient();
  const reload = () => client.invalidateQueries({ queryKey: ["models", project] });
  useLiveEvents(project, (event) => rooms.some((room) => event.action.startsWith(room)) && void reload(), () => void reload());
  return reload;
}
