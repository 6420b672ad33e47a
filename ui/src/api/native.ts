// Types of /api/v1, written by hand along docs/design/accepted/native-api.md until `npm run api` generates them from
// openapi.json. Calls live below, so that swapping the types touches this file alone.
import { call } from "./http";

/** JSON has no NaN and no infinities; the server sends these words instead. */
export type WireNumber = number | "NaN" | "Infinity" | "-Infinity";
export type RunStatus = "RUNNING" | "SCHEDULED" | "FINISHED" | "FAILED" | "KILLED";
export type Role = "viewer" | "contributor" | "maintainer" | "admin";
export type RunViewType = "ACTIVE_ONLY" | "DELETED_ONLY" | "ALL";

export interface Server {
  version: string;
  mode: "local" | "login";
  mlflow_version: string;
  database: "sqlite" | "postgres";
  started_at_ms: number;
}

export interface Actor {
  kind: "user" | "service" | "run" | "system";
  name: string;
}

export interface ProjectEntry {
  name: string;
  description?: string;
  created_at_ms?: number;
  role: Role | null;
}

export interface WhoAmI {
  actor: Actor;
  is_admin: boolean;
  project: string;
  role: Role | null;
  projects: ProjectEntry[];
}

export interface RunRow {
  run_id: string;
  run_name: string;
  experiment_id: string;
  experiment_name: string;
  status: RunStatus;
  user: string;
  start_time_ms: number;
  end_time_ms?: number;
  lifecycle_stage: string;
  source_type?: string;
  values: Record<string, WireNumber | string>;
}

export interface RunsQuery {
  experiment_ids: string[];
  filter?: string;
  order_by?: string[];
  run_view_type?: RunViewType;
  columns: string[];
  max_results?: number;
  page_token?: string;
}

export interface RunsPage {
  runs: RunRow[];
  total: number;
  next_page_token?: string;
}

export interface RunColumns {
  metrics: string[];
  params: string[];
  tags: string[];
  truncated: boolean;
}

export interface SeriesQuery {
  run_ids: string[];
  metric_keys: string[];
  x?: "step" | "time";
  max_points?: number;
  from?: number;
  to?: number;
}

export interface Series {
  run_id: string;
  metric_key: string;
  /** How many points the range holds before buckets were made. */
  points: number;
  x: number[];
  last: WireNumber[];
  min?: WireNumber[];
  max?: WireNumber[];
}

export interface Edge {
  from: string;
  to: string;
  kind: string;
}

export interface LedgerEvent {
  id: string;
  position?: number | null;
  at_ms: number;
  actor: Actor;
  action: string;
  subject: string;
  project: string;
  request_id: string;
  detail: Record<string, unknown> | null;
  edges: Edge[];
  hash?: string;
}

export interface EventPage {
  events: LedgerEvent[];
  next_page_token?: string;
}

export interface AuditQuery {
  action?: string;
  actor?: string;
  subject?: string;
  from_ms?: number;
  to_ms?: number;
  max_results?: number;
  page_token?: string;
}

export interface Verification {
  verified: boolean;
  events: number;
  batches: number;
  head: string;
  unsealed: number;
  first_broken?: { position: number; event_id: string | null; reason: string };
}

export interface LineageNode {
  name: string;
  kind: string;
  label: string;
  /** Steps from the centre: negative towards causes, positive towards results. */
  depth: number;
}

export interface Lineage {
  center: string;
  nodes: LineageNode[];
  edges: Edge[];
  truncated: boolean;
}

export interface Home {
  getting_started: { id: string; title: string; done: boolean; snippet: string }[];
  recent_runs: RunRow[];
  counts: { experiments: number; runs: number; models: number; versions: number };
}

export interface TokenEntry {
  id: string;
  kind: "personal" | "service";
  name: string;
  owner: string;
  scope: "all" | "read";
  project?: string | null;
  role?: Role | null;
  created_at_ms: number;
  expires_at_ms?: number | null;
  last_used_at_ms?: number | null;
}

export interface NewToken {
  name: string;
  kind?: "personal" | "service";
  scope?: "all" | "read";
  role?: Role;
  expires_in_days?: number;
}

const v1 = "/api/v1";

export const native = {
  server: () => call<Server>("default", "GET", `${v1}/server`),
  login: (username: string, password: string) =>
    call<{ username: string; is_admin: boolean }>("default", "POST", `${v1}/login`, { body: { username, password } }),
  logout: () => call<unknown>("default", "POST", `${v1}/logout`),
  whoami: (project: string, signal?: AbortSignal) => call<WhoAmI>(project, "GET", `${v1}/whoami`, { signal }),
  createProject: (name: string, description: string) =>
    call<unknown>("default", "POST", `${v1}/projects`, { body: description ? { name, description } : { name } }),

  home: (project: string, signal?: AbortSignal) => call<Home>(project, "GET", `${v1}/home`, { signal }),
  activity: (project: string, query: AuditQuery, signal?: AbortSignal) =>
    call<EventPage>(project, "GET", `${v1}/activity`, { query: { ...query }, signal }),
  audit: (project: string, query: AuditQuery, signal?: AbortSignal) =>
    call<EventPage>(project, "GET", `${v1}/audit`, { query: { ...query }, signal }),
  verifyAudit: (project: string, signal?: AbortSignal) =>
    call<Verification>(project, "GET", `${v1}/audit/verify`, { signal }),
  lineage: (
    project: string,
    query: { name: string; direction: "up" | "down" | "both"; depth: number },
    signal?: AbortSignal,
  ) => call<Lineage>(project, "GET", `${v1}/lineage`, { query, signal }),

  searchRuns: (project: string, query: RunsQuery, signal?: AbortSignal) =>
    call<RunsPage>(project, "POST", `${v1}/runs/search`, { body: query, signal }),
  runColumns: (project: string, experimentIds: string[], search: string, signal?: AbortSignal) =>
    call<RunColumns>(project, "GET", `${v1}/runs/columns`, {
      query: { experiment_ids: experimentIds.join(","), search, max_results: 200 },
      signal,
    }),
  series: (project: string, query: SeriesQuery, signal?: AbortSignal) =>
    call<{ series: Series[] }>(project, "POST", `${v1}/metrics/series`, { body: query, signal }),

  tokens: (signal?: AbortSignal) => call<{ tokens: TokenEntry[] }>("default", "GET", `${v1}/tokens`, { signal }),
  createToken: (project: string, token: NewToken) =>
    call<{ id: string; token: string }>(project, "POST", `${v1}/tokens`, { body: token }),
  revokeToken: (id: string) => call<unknown>("default", "DELETE", `${v1}/tokens/${encodeURIComponent(id)}`),
};

/** A metric value as a number; the words that JSON needs become what they mean. */
export function toNumber(value: WireNumber | string): number {
  return typeof value === "number" ? value : Number(value);
}
