// The files of a model version. Where they lie is a URI; the server answers for those it keeps itself.
import { queryOptions } from "@tanstack/react-query";
import { mlflow, type ArtifactFile } from "../../api/mlflow";

export type FileLocation = { kind: "stored"; root: string } | { kind: "run"; runId: string; root: string } | { kind: "elsewhere"; uri: string };

export function parseLocation(uri: string): FileLocation {
  const stored = /^mlflow-artifacts:\/(?:\/[^/]*\/)?(.+)$/.exec(uri)?.[1];
  if (stored) return { kind: "stored", root: stored.replace(/\/+$/, "") };
  const inRun = /^runs:\/+([^/]+)\/(.+)$/.exec(uri);
  if (inRun) return { kind: "run", runId: inRun[1]!, root: inRun[2]!.replace(/\/+$/, "") };
  return { kind: "elsewhere", uri };
}

export const locationQuery = (project: string, name: string, version: string) =>
  queryOptions({
    queryKey: ["models", project, "location", name, version],
    queryFn: async ({ signal }) => parseLocation(await mlflow.versionLocation(project, name, version, signal)),
    staleTime: 60_000,
  });

const join = (folder: string, rest: string) => (rest ? `${folder}/${rest}` : folder);

/** A folder of the version; paths in the answer begin at the version's own root. */
export const filesQuery = (project: string, location: FileLocation | undefined, folder: string) =>
  queryOptions({
    queryKey: ["version-files", project, location, folder],
    enabled: location !== undefined && location.kind !== "elsewhere",
    queryFn: async ({ signal }): Promise<ArtifactFile[]> => {
      if (!location || location.kind === "elsewhere") return [];
      const asked = join(location.root, folder);
      const files = location.kind === "stored" ? await mlflow.storedFiles(project, asked, signal) : await mlflow.artifacts(project, location.runId, asked, signal);
      return files.map((file) => ({ ...file, path: file.path.slice(location.root.length + 1) }));
    },
  });

export function fileUrl(project: string, name: string, version: string, location: FileLocation, path: string): string {
  return location.kind === "run" ? mlflow.artifactUrl(project, location.runId, join(location.root, path)) : mlflow.versionArtifactUrl(project, name, version, path);
}

/** A small text file of the version; `undefined` where it is absent. */
export const textFileQuery = (project: string, name: string, version: string, location: FileLocation | undefined, path: string | undefined) =>
  queryOptions({
    queryKey: ["version-file", project, name, version, location, path],
    enabled: location !== undefined && location.kind !== "elsewhere" && path !== undefined,
    staleTime: 60_000,
    queryFn: async ({ signal }) => (await mlflow.download(fileUrl(project, name, version, location!, path!), signal)).text(),
  });
