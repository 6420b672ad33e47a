// Where files are listed and read from: a run, or a model that it logged.
import { queryOptions } from "@tanstack/react-query";
import { mlflow, type ArtifactFile } from "../../api/mlflow";

export interface ArtifactSource {
  /** Tells sources apart in caches. */
  id: string;
  label: string;
  /** The URI of a folder that holds a model, for clients. */
  modelUri: (folder: string) => string;
  list: (path: string, signal: AbortSignal) => Promise<ArtifactFile[]>;
  url: (path: string) => string;
}

export const runSource = (project: string, runId: string): ArtifactSource => ({
  id: `run/${runId}`,
  label: "Files of the run",
  modelUri: (folder) => `runs:/${runId}/${folder}`,
  list: (path, signal) => mlflow.artifacts(project, runId, path, signal),
  url: (path) => mlflow.artifactUrl(project, runId, path),
});

export const loggedModelSource = (project: string, modelId: string, label: string): ArtifactSource => ({
  id: `logged-model/${modelId}`,
  label,
  modelUri: () => `models:/${modelId}`,
  list: (path, signal) => mlflow.loggedModelArtifacts(project, modelId, path, signal),
  url: (path) => mlflow.loggedModelArtifactUrl(project, modelId, path),
});

export const folderQuery = (project: string, source: ArtifactSource, path: string) =>
  queryOptions({
    queryKey: ["artifacts", project, source.id, path],
    queryFn: ({ signal }) => source.list(path, signal),
    staleTime: 20_000,
  });
