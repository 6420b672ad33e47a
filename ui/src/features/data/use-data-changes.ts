import { useQueryClient } from "@tanstack/react-query";
import type { LedgerEvent } from "../../api/native";
import { useLiveEvents } from "../../app/live";
import { useGathered } from "../../app/use-gathered";

/** A burst of events is one reload. */
const gatherMs = 300;

/** Whether an event changes what is shown of a repository, or of all of them; that something was read changes nothing. */
export function isDataChange({ action, subject }: Pick<LedgerEvent, "action" | "subject">, project: string, repository?: string): boolean {
  if (!action.startsWith("data.") || action === "data.read") return false;
  const name = `${project}/data/${repository}`;
  return repository === undefined || subject === name || subject.startsWith(`${name}@`);
}

/** Keeps what is shown of a repository, or of all of them, fresh. */
export function useDataChanges(project: string, repository?: string) {
  const client = useQueryClient();
  const reloadSoon = useGathered(() => void client.invalidateQueries({ queryKey: repository === undefined ? ["data", project] : ["data", project, repository] }), gatherMs);
  useLiveEvents(project, (event) => isDataChange(event, project, repository) && reloadSoon(), reloadSoon);
}
