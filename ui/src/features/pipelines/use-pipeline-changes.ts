import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useLiveEvents } from "../../app/live";
import { reloadRoom } from "../../app/reload-room";

const rooms = ["pipeline.", "pipeline_run.", "job."];
/** A burst of events, a matrix that ends say, is one reload. */
const gatherMs = 300;

/** Keeps what is shown of pipelines, their runs and approvals fresh; answers how to ask again at once. */
export function usePipelineChanges(project: string): () => Promise<void> {
  const client = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const reload = () => reloadRoom(client, ["pipelines", project]);
  const reloadSoon = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void reload(), gatherMs);
  };
  useLiveEvents(project, (event) => rooms.some((room) => event.action.startsWith(room)) && reloadSoon(), reloadSoon);
  return reload;
}
