import { queryOptions } from "@tanstack/react-query";
import { native, type WindowsQuery } from "../../api/native";
import { keepOf } from "../../app/keep-of";

// Windows fill while people look; an alert is an event and comes at once.
const paceMs = 15_000;

const key = (project: string, name: string, ...rest: unknown[]) => ["deployments", project, "monitoring", name, ...rest];

const ofWindows = (start: readonly unknown[], query: WindowsQuery) => ({ queryKey: [...start, query], placeholderData: keepOf(start), refetchInterval: paceMs });

export const trafficQuery = (project: string, name: string, query: WindowsQuery) =>
  queryOptions({ ...ofWindows(key(project, name, "traffic"), query), queryFn: ({ signal }) => native.traffic(project, name, query, signal) });

export const driftQuery = (project: string, name: string, query: WindowsQuery) =>
  queryOptions({ ...ofWindows(key(project, name, "drift"), query), queryFn: ({ signal }) => native.drift(project, name, query, signal) });

export const qualityQuery = (project: string, name: string, query: WindowsQuery) =>
  queryOptions({ ...ofWindows(key(project, name, "quality"), query), queryFn: ({ signal }) => native.quality(project, name, query, signal) });

export const rulesQuery = (project: string, name: string) =>
  queryOptions({ queryKey: key(project, name, "rules"), queryFn: ({ signal }) => native.alertRules(project, name, signal), select: ({ alert_rules }) => alert_rules });

export const alertsQuery = (project: string, name: string) =>
  queryOptions({ queryKey: key(project, name, "alerts"), queryFn: ({ signal }) => native.alerts(project, name, signal), select: ({ alerts }) => alerts });

export const settingsQuery = (project: string, name: string) =>
  queryOptions({ queryKey: key(project, name, "settings"), queryFn: ({ signal }) => native.monitoring(project, name, signal) });
