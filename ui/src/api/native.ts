// Calls of /api/v1. Their types come from openapi.json (`npm run api`); what the description leaves a text is narrowed here.
import type { components, operations } from "./generated/native";
import { call, projectPath } from "./http";

type Schemas = components["schemas"];
type Narrow<Base, Over> = Omit<Base, keyof Over> & Over;

/** JSON has no NaN and no infinities; the server sends these words instead. */
export type WireNumber = number | "NaN" | "Infinity" | "-Infinity";
export type RunStatus = "RUNNING" | "SCHEDULED" | "FINISHED" | "FAILED" | "KILLED";
export type Role = "viewer" | "contributor" | "maintainer" | "admin";
export type RunViewType = "ACTIVE_ONLY" | "DELETED_ONLY" | "ALL";

export type Server = Narrow<Schemas["Server"], { mode: "local" | "login"; database: "sqlite" | "postgres" }>;
export type Actor = Narrow<Schemas["Actor"], { kind: "user" | "service" | "run" | "system" }>;
export type ProjectEntry = Narrow<Schemas["ProjectEntry"], { role?: Role | null }>;
export type WhoAmI = Narrow<Schemas["WhoAmI"], { actor: Actor; role?: Role | null; projects: ProjectEntry[] }>;
export type RunRow = Narrow<Schemas["RunRow"], { status: RunStatus; values: Record<string, WireNumber | string> }>;
export type RunsQuery = Narrow<Schemas["RunsQuery"], { run_view_type?: RunViewType; columns: string[] }>;
export type RunsPage = Narrow<Schemas["RunsPage"], { runs: RunRow[] }>;
export type RunColumns = Schemas["Columns"];
export type SeriesQuery = Schemas["SeriesQuery"];
export type Series = Narrow<Schemas["Series"], { last: WireNumber[]; min?: WireNumber[]; max?: WireNumber[] }>;
export type Edge = Schemas["Edge"];
export type LedgerEvent = Narrow<Schemas["Event"], { actor: Actor; detail: Record<string, unknown> | null }>;
export type EventPage = Narrow<Schemas["EventPage"], { events: LedgerEvent[] }>;
export type AuditQuery = NonNullable<operations["list_audit"]["parameters"]["query"]>;
export type Verification = Schemas["Verification"];
export type LineageNode = Schemas["LineageNode"];
export type Lineage = Schemas["Lineage"];
export type Home = Narrow<Schemas["Home"], { recent_runs: RunRow[] }>;
export type TokenScope = "all" | "read" | "infer";
export type TokenEntry = Narrow<Schemas["TokenEntry"], { kind: "personal" | "service"; scope: TokenScope; role?: Role | null }>;
export type NewToken = Narrow<Schemas["NewToken"], { kind?: "personal" | "service"; scope?: TokenScope; role?: Role }>;

export type Repository = Narrow<Schemas["RepositoryEntry"], { layout: "ref" | "flat" }>;
export type DataRef = Schemas["RefEntry"];
export type DataObject = Schemas["ObjectEntry"];
export type DataCommit = Schemas["CommitEntry"];
export type Change = Narrow<Schemas["ChangeEntry"], { kind: "added" | "changed" | "removed" }>;
export type ChangeSummary = Schemas["Summary"];
export type ChangeCounts = Schemas["ChangeCounts"];
export type Side = "source" | "dest";
export type Conflict = Schemas["ConflictEntry"];
export type MergeConflicts = Schemas["MergeConflicts"];
export type MergeOutcome = Narrow<Schemas["MergeOutcome"], { outcome: "up_to_date" | "fast_forward" | "merged" }>;
export interface NewMerge {
  source: string;
  message?: string;
  fast_forward?: "allowed" | "never" | "only";
  rules?: { pattern: string; side: Side }[];
  strategy?: Side;
}
export interface NewRevert {
  commit: string;
  message?: string;
  strategy?: Side;
}
export type DeploymentRole = "primary" | "canary" | "shadow" | "previous";
export type VersionState = "starting" | "ready" | "failed" | "draining" | "stopped";
export type DeployedVersion = Narrow<Schemas["DeployedVersion"], { role: DeploymentRole; state: VersionState }>;
export type Deployment = Narrow<Schemas["Deployment"], { state: VersionState; versions: DeployedVersion[] }>;
export type DeployedStatistics = Schemas["DeployedStatistics"];
export type TrafficStatistics = Schemas["TrafficStatistics"];
export type Variant = "primary" | "canary" | "shadow";
export type TrafficRow = Narrow<Schemas["TrafficRow"], { variant: Variant }>;
export type QualityRow = Narrow<Schemas["QualityRow"], { variant: Variant }>;
export type DriftReference = Schemas["Reference"];
export type ColumnDrift = Schemas["ColumnDrift"];
export type DriftWindow = Schemas["DriftWindow"];
export type Drift = Schemas["Drift"];
export type Severity = "info" | "warning" | "critical";
export type AlertRule = Schemas["AlertRule"];
export type NewAlertRule = Schemas["NewAlertRule"];
export type NewReference = Schemas["NewReference"];
export type Alert = Narrow<Schemas["Alert"], { severity: Severity }>;
/** Absent is what the server finds out by itself. */
export type MonitoringSettings = Narrow<
  Schemas["MonitoringSettings"],
  { task?: "classification" | "regression"; prediction_column?: string; score_column?: string; positive_label?: string }
>;
/** What is left out stays as it is; null is what the server finds out by itself. */
export type MonitoringChange = Schemas["MonitoringChange"];
export type WindowsQuery = NonNullable<operations["get_traffic"]["parameters"]["query"]>;
export type ChangePage = Narrow<Schemas["ChangePage"], { changes: Change[] }>;

export type RefKind = "branch" | "tag";
interface PageQuery {
  page_token?: string;
  max_results?: number;
}

const v1 = "/api/v1";
const segment = encodeURIComponent;
/** A path of a repository as the end of an address: its slashes stay. */
const pathSegments = (path: string) => path.split("/").map(segment).join("/");
const deployments = (name: string, rest = "") => `${v1}/deployments/${segment(name)}${rest}`;
const refsOf = (kind: RefKind) => (kind === "branch" ? "/branches" : "/tags");
const repos = (repository: string, rest = "") => `${v1}/repos/${segment(repository)}${rest}`;

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

  repositories: (project: string, query: PageQuery, signal?: AbortSignal) =>
    call<{ repositories: Repository[]; next_page_token?: string }>(project, "GET", `${v1}/repos`, { query: { ...query }, signal }),
  repository: (project: string, repository: string, signal?: AbortSignal) => call<Repository>(project, "GET", repos(repository), { signal }),
  createRepository: (project: string, body: { name: string; description?: string }) => call<Repository>(project, "POST", `${v1}/repos`, { body }),
  refs: (project: string, repository: string, kind: RefKind, query: PageQuery, signal?: AbortSignal) =>
    call<Schemas["RefList"]>(project, "GET", repos(repository, refsOf(kind)), { query: { ...query }, signal }),
  createRef: (project: string, repository: string, kind: RefKind, body: { name: string; from: string }) =>
    call<DataRef>(project, "POST", repos(repository, refsOf(kind)), { body }),
  deleteRef: (project: string, repository: string, kind: RefKind, name: string) =>
    call<unknown>(project, "DELETE", repos(repository, `${refsOf(kind)}/${segment(name)}`)),
  objects: (
    project: string,
    repository: string,
    revision: string,
    query: { prefix?: string; delimiter?: string; page_token?: string; max_results?: number },
    signal?: AbortSignal,
  ) => call<Schemas["ObjectPage"]>(project, "GET", repos(repository, `/refs/${segment(revision)}/objects`), { query, signal }),
  objectUrl: (project: string, repository: string, revision: string, path: string) =>
    projectPath(project, repos(repository, `/refs/${segment(revision)}/objects/${pathSegments(path)}`)),
  commits: (project: string, repository: string, revision: string, query: { page_token?: string; max_results?: number }, signal?: AbortSignal) =>
    call<Schemas["History"]>(project, "GET", repos(repository, `/refs/${segment(revision)}/log`), { query, signal }),
  commit: (project: string, repository: string, commit: string, signal?: AbortSignal) =>
    call<DataCommit>(project, "GET", repos(repository, `/refs/${segment(commit)}`), { signal }),
  commitBranch: (project: string, repository: string, branch: string, message: string) =>
    call<DataCommit>(project, "POST", repos(repository, `/branches/${segment(branch)}/commits`), { body: { message } }),
  deleteObject: (project: string, repository: string, branch: string, path: string, signal?: AbortSignal) =>
    call<unknown>(project, "DELETE", repos(repository, `/refs/${segment(branch)}/objects/${pathSegments(path)}`), { signal }),
  discard: (project: string, repository: string, branch: string, prefix?: string) =>
    call<{ changes: number }>(project, "POST", repos(repository, `/branches/${segment(branch)}/discard`), { body: prefix ? { prefix } : {} }),
  merge: (project: string, repository: string, branch: string, body: NewMerge) =>
    call<MergeOutcome>(project, "POST", repos(repository, `/branches/${segment(branch)}/merge`), { body }),
  revert: (project: string, repository: string, branch: string, body: NewRevert) =>
    call<MergeOutcome>(project, "POST", repos(repository, `/branches/${segment(branch)}/revert`), { body }),
  diffSummary: (project: string, repository: string, query: { from: string; to: string; prefix?: string }, signal?: AbortSignal) =>
    call<ChangeSummary>(project, "GET", repos(repository, "/diff/summary"), { query, signal }),
  diff: (project: string, repository: string, query: { from: string; to: string; prefix?: string; page_token?: string; max_results?: number }, signal?: AbortSignal) =>
    call<ChangePage>(project, "GET", repos(repository, "/diff"), { query, signal }),
  uncommitted: (project: string, repository: string, branch: string, query: PageQuery & { prefix?: string }, signal?: AbortSignal) =>
    call<ChangePage>(project, "GET", repos(repository, `/branches/${segment(branch)}/changes`), { query: { ...query }, signal }),
  uncommittedSummary: (project: string, repository: string, branch: string, signal?: AbortSignal) =>
    call<ChangeSummary>(project, "GET", repos(repository, `/branches/${segment(branch)}/changes/summary`), { signal }),

  deployments: (project: string, signal?: AbortSignal) => call<{ deployments: Deployment[] }>(project, "GET", `${v1}/deployments`, { signal }),
  deployment: (project: string, name: string, signal?: AbortSignal) => call<Deployment>(project, "GET", deployments(name), { signal }),
  createDeployment: (project: string, body: { name: string; model: string; workers: number }) => call<Deployment>(project, "POST", `${v1}/deployments`, { body }),
  deleteDeployment: (project: string, name: string) => call<unknown>(project, "DELETE", deployments(name)),
  startCanary: (project: string, name: string, body: { model: string; weight: number }) => call<Deployment>(project, "POST", deployments(name, "/canary"), { body }),
  setCanaryWeight: (project: string, name: string, weight: number) => call<Deployment>(project, "PUT", deployments(name, "/canary"), { body: { weight } }),
  startShadow: (project: string, name: string, model: string) => call<Deployment>(project, "POST", deployments(name, "/shadow"), { body: { model } }),
  endShadow: (project: string, name: string) => call<Deployment>(project, "DELETE", deployments(name, "/shadow")),
  promote: (project: string, name: string) => call<Deployment>(project, "POST", deployments(name, "/promote")),
  rollback: (project: string, name: string) => call<Deployment>(project, "POST", deployments(name, "/rollback")),
  followAlias: (project: string, name: string, alias: string) => call<Deployment>(project, "POST", deployments(name, "/follow"), { body: { alias } }),

  traffic: (project: string, name: string, query: WindowsQuery, signal?: AbortSignal) =>
    call<{ windows: TrafficRow[]; dropped_samples: number }>(project, "GET", deployments(name, "/traffic"), { query, signal }),
  drift: (project: string, name: string, query: WindowsQuery, signal?: AbortSignal) => call<Drift>(project, "GET", deployments(name, "/drift"), { query, signal }),
  quality: (project: string, name: string, query: WindowsQuery, signal?: AbortSignal) =>
    call<{ windows: QualityRow[] }>(project, "GET", deployments(name, "/quality"), { query, signal }),
  setReference: (project: string, name: string, body: NewReference) => call<DriftReference>(project, "PUT", deployments(name, "/reference"), { body }),
  monitoring: (project: string, name: string, signal?: AbortSignal) => call<MonitoringSettings>(project, "GET", deployments(name, "/monitoring"), { signal }),
  setMonitoring: (project: string, name: string, body: MonitoringChange) => call<MonitoringSettings>(project, "PUT", deployments(name, "/monitoring"), { body }),
  alertRules: (project: string, name: string, signal?: AbortSignal) => call<{ alert_rules: AlertRule[] }>(project, "GET", deployments(name, "/alert-rules"), { signal }),
  createAlertRule: (project: string, name: string, body: NewAlertRule) => call<AlertRule>(project, "POST", deployments(name, "/alert-rules"), { body }),
  deleteAlertRule: (project: string, name: string, rule: string) => call<unknown>(project, "DELETE", deployments(name, `/alert-rules/${segment(rule)}`)),
  alerts: (project: string, name: string, signal?: AbortSignal) => call<{ alerts: Alert[] }>(project, "GET", deployments(name, "/alerts"), { signal }),
  openAlerts: (project: string, signal?: AbortSignal) => call<{ alerts: Alert[] }>(project, "GET", `${v1}/alerts`, { query: { only_open: true }, signal }),
  checkAlerts: (project: string, name: string) => call<Schemas["AlertCheck"]>(project, "POST", deployments(name, "/check")),

  tokens: (signal?: AbortSignal) => call<{ tokens: TokenEntry[] }>("default", "GET", `${v1}/tokens`, { signal }),
  createToken: (project: string, token: NewToken) =>
    call<{ id: string; token: string }>(project, "POST", `${v1}/tokens`, { body: token }),
  revokeToken: (id: string) => call<unknown>("default", "DELETE", `${v1}/tokens/${encodeURIComponent(id)}`),
};

/** A metric value as a number; the words that JSON needs become what they mean. */
export function toNumber(value: WireNumber | string): number {
  return typeof value === "number" ? value : Number(value);
}
