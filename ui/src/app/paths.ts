// Addresses of pages. The project is always the first path segment, so every link says whose page it opens.
import { printSearch, type SearchParams } from "./url-state";

const segment = encodeURIComponent;
const inProject = (project: string, rest: string, search: SearchParams = {}) => `/p/${segment(project)}${rest}${printSearch(search)}`;

export const paths = {
  home: (project: string) => inProject(project, "/home"),
  experiments: (project: string, search?: SearchParams) => inProject(project, "/experiments", search),
  runs: (project: string, search?: SearchParams) => inProject(project, "/runs", search),
  run: (project: string, runId: string, search?: SearchParams) => inProject(project, `/runs/${segment(runId)}`, search),
  compare: (project: string, search?: SearchParams) => inProject(project, "/compare", search),
  models: (project: string, search?: SearchParams) => inProject(project, "/models", search),
  model: (project: string, name: string, search?: SearchParams) => inProject(project, `/models/${segment(name)}`, search),
  version: (project: string, name: string, version: string, search?: SearchParams) =>
    inProject(project, `/models/${segment(name)}/versions/${segment(version)}`, search),
  deployments: (project: string, search?: SearchParams) => inProject(project, "/deployments", search),
  deployment: (project: string, name: string, search?: SearchParams) => inProject(project, `/deployments/${segment(name)}`, search),
  data: (project: string) => inProject(project, "/data"),
  repository: (project: string, name: string, search?: SearchParams) => inProject(project, `/data/${segment(name)}`, search),
  commit: (project: string, name: string, commit: string, search?: SearchParams) =>
    inProject(project, `/data/${segment(name)}/commits/${segment(commit)}`, search),
  compareData: (project: string, name: string, search?: SearchParams) => inProject(project, `/data/${segment(name)}/compare`, search),
  pipelines: (project: string) => inProject(project, "/pipelines"),
  pipeline: (project: string, name: string, search?: SearchParams) => inProject(project, `/pipelines/${segment(name)}`, search),
  pipelineRun: (project: string, id: string, search?: SearchParams) => inProject(project, `/pipeline-runs/${segment(id)}`, search),
  approvals: (project: string) => inProject(project, "/approvals"),
  lineage: (project: string, search?: SearchParams) => inProject(project, "/lineage", search),
  audit: (project: string, search?: SearchParams) => inProject(project, "/audit", search),
  tokens: (project: string) => inProject(project, "/tokens"),
};

/** What MLFLOW_TRACKING_URI, and LATHE_URL for the command line, must be for clients of the project. */
export const trackingUri = (project: string) => (project === "default" ? location.origin : `${location.origin}/p/${segment(project)}`);

/** The line that has the command line speak with this server about the project. */
export const commandLineSetup = (project: string) => `export LATHE_URL=${trackingUri(project)}`;
