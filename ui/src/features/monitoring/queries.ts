import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { native, type WindowsQuery } from "../../api/native";

// Windows fill while people look; an alert is an event and comes at once.
const paceMs = 15_000;

const options = { placeholderData: keepPreviousData, refetchInterval: paceMs } as const;
const key = (project: string, name: string, ...rest: unknown[]) => ["deployments", project, "monitoring", name, ...rest];

export const windowsQuery = (windows: number, version: string | undefined): WindowsQuery => ({ windows, ...(version && /^\d+$/.test(version) ? { version: Number(version) } : {}) });

export const trafficQuery = (project: string, name: string, query: WindowsQuery) =>
  queryOptions({ queryKey: key(project, name, "traffic", query), queryFn: ({ signal }) => native.traffic(project, name, query, signal), ...options });

export const driftQuery = (project: string, name: string, query: WindowsQuery) =>
  queryOptions({ queryKey: key(project, name, "drift", query), queryFn: ({ signal }) => native.drift(project, name, query, signal), ...options });

export const qualityQuery = (project: string, name: string, query: WindowsQuery) =>
  queryOptions({ queryKey: key(project, name, "quality", query), queryFn: ({ signal }) => native.quality(project, name, query, signal), ...options });

export const rulesQuery = (project: string, name: string) =>
  queryOptions({ queryKey: key(project, name, "rules"), queryFn: ({ signal }) => native.alertRules(project, name, signal), select: ({ alert_rules }) => alert_rules });

export const alertsQuery = (project: string, name: string) =>
  queryOptions({ queryKey: key(project, name, "alerts"), queryFn: ({ signal }) => native.alerts(project, name, signal), select: ({ alerts }) => alerts });

export const settingsQuery = (project: string, name: string) =>
  queryOptions({ queryKey: key(project, name, "settings"), queryFn: ({ signal }) => native.monitoring(project, name, signal) });
