import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useLiveEvents } from "../../app/live";
import { useGo } from "../../app/navigation";
import { useGathered } from "../../app/use-gathered";

const rooms = ["model.", "version.", "alias."];
/** A burst of events is one reload. */
const gatherMs = 300;

/** Whether an event changes what is shown of models; that a version was read shows in its lineage alone. */
export const isModelChange = (action: string): boolean => action !== "version.read" && rooms.some((room) => action.startsWith(room));

export interface ModelChanges {
  /** Asks again for what is shown, after a change of one's own. */
  reload: () => Promise<void>;
  /** Takes away the very thing that the page shows, and opens another page without asking for it once more. */
  leave: (removal: () => Promise<unknown>, href: string) => Promise<void>;
}

/** Keeps what is shown of models fresh. `shown` names what the page is about. */
export function useModelChanges(project: string, shown = ""): ModelChanges {
  const client = useQueryClient();
  const go = useGo();
  const isLeaving = useRef(false);
  useEffect(() => {
    isLeaving.current = false;
  }, [shown]);

  const queryKey = ["models", project] as const;
  const reload = () => client.invalidateQueries({ queryKey });
  const reloadSoon = useGathered(() => {
    if (!isLeaving.current) void reload();
  }, gatherMs);
  useLiveEvents(project, (event) => isModelChange(event.action) && reloadSoon(), reloadSoon);

  const leave = async (removal: () => Promise<unknown>, href: string) => {
    // Before the request: its event may come earlier than its answer.
    isLeaving.current = true;
    try {
      await removal();
    } catch (refusal) {
      isLeaving.current = false;
      throw refusal;
    }
    await client.invalidateQueries({ queryKey, refetchType: "none" });
    go(href, { replace: true });
  };
  return { reload, leave };
}
