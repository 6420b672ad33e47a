import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { isAbsent } from "../../api/http";
import { native, type Alert } from "../../api/native";
import { useLiveEvents } from "../../app/live";
import { useGathered } from "../../app/use-gathered";

const restingMs = 5000;
const startingMs = 1000;
/** A burst of events, a window that raises alerts say, is one reload. */
const gatherMs = 300;

/** Statistics are counted in memory and come by no event: they are asked for again and again while the page is seen. */
const pace = (states: string[]) => (states.includes("starting") ? startingMs : restingMs);

export const deploymentsQuery = (project: string) =>
  queryOptions({
    queryKey: ["deployments", project, "all"],
    queryFn: ({ signal }) => native.deployments(project, signal),
    select: ({ deployments }) => deployments,
    refetchInterval: ({ state }) => pace(state.data?.deployments.flatMap(({ versions }) => versions.map((version) => version.state)) ?? []),
  });

export const deploymentQuery = (project: string, name: string) =>
  queryOptions({
    queryKey: ["deployments", project, "one", name],
    queryFn: ({ signal }) => native.deployment(project, name, signal),
    refetchInterval: ({ state }) => (state.data && !isAbsent(state.error) ? pace(state.data.versions.map((version) => version.state)) : false),
  });

/** Alerts that are open, of all deployments. */
export const openAlertsQuery = (project: string) =>
  queryOptions({ queryKey: ["deployments", project, "open alerts"], queryFn: ({ signal }) => native.openAlerts(project, signal), select: ({ alerts }) => alerts });

export const alertsOf = (alerts: readonly Alert[] | undefined, name: string): number => alerts?.filter(({ deployment }) => deployment === name).length ?? 0;

/** Events of a deployment of some actions, newest first. */
export const historyQuery = (project: string, name: string, actions: readonly string[], count: number) =>
  queryOptions({
    queryKey: ["deployments", project, "history", name, actions, count],
    queryFn: async ({ signal }) => {
      const subject = `${project}/deployment/${name}`;
      const pages = await Promise.all(actions.map((action) => native.activity(project, { subject, action, max_results: count }, signal)));
      return pages.flatMap(({ events }) => events).sort((a, b) => b.at_ms - a.at_ms || (b.position ?? 0) - (a.position ?? 0)).slice(0, count);
    },
  });

/** Keeps what is shown of deployments fresh; answers a function that asks again after a change of one's own. */
export function useDeploymentChanges(project: string): () => Promise<void> {
  const client = useQueryClient();
  const reload = () => client.invalidateQueries({ queryKey: ["deployments", project] });
  const isAbout = (action: string) => ["deployment.", "alert", "monitoring.", "pipeline_run.started"].some((start) => action.startsWith(start));
  const reloadSoon = useGathered(() => void reload(), gatherMs);
  useLiveEvents(project, ({ action }) => isAbout(action) && reloadSoon(), reloadSoon);
  return reload;
}
