import { useQueryClient } from "@tanstack/react-query";
import { useLiveEvents } from "../../app/live";
import { useGathered } from "../../app/use-gathered";

const rooms = ["pipeline.", "pipeline_run.", "job."];
/** A burst of events, a matrix that ends say, is one reload. */
const gatherMs = 300;

/** Keeps what is shown of pipelines, their runs and approvals fresh; answers how to ask again at once. */
export function usePipelineChanges(project: string): () => Promise<void> {
  const client = useQueryClient();
  const reload = () => client.invalidateQueries({ queryKey: ["pipelines", project] });
  const reloadSoon = useGathered(() => void reload(), gatherMs);
  useLiveEvents(project, (event) => rooms.some((room) => event.action.startsWith(room)) && reloadSoon(), reloadSoon);
  return reload;
}
