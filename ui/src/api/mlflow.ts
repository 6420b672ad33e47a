// The MLflow routes that the UI uses. MLflow omits empty lists and default values, and an int64 may come as text: each
// function here fills them in, so that no page meets an absent list.
import { call, projectPath, send, withQuery } from "./http";
import type { RunStatus, WireNumber } from "./native";

export interface KeyValue {
  key: string;
  value: string;
}

export interface Experiment {
  experiment_id: string;
  name: string;
  lifecycle_stage: string;
  artifact_location: string;
  creation_time: number;
  last_update_time: number;
  tags: KeyValue[];
}

export interface RunInfo {
  run_id: string;
  run_name: string;
  experiment_id: string;
  user_id: string;
  status: RunStatus;
  start_time: number;
  end_time?: number;
  artifact_uri: string;
  lifecycle_stage: string;
}

export interface Metric {
  key: string;
  value: WireNumber;
  timestamp: number;
  step: number;
}

export interface DatasetInput {
  tags: KeyValue[];
  dataset: { name: string; digest: string; source_type: string; source: string; schema: string; profile: string };
}

export interface Run {
  info: RunInfo;
  metrics: Metric[];
  params: KeyValue[];
  tags: KeyValue[];
  datasets: DatasetInput[];
  /** Ids of logged models that the run wrote. */
  modelOutputs: string[];
}

export interface ArtifactFile {
  path: string;
  is_dir: boolean;
  file_size?: number;
}

export interface ModelVersion {
  name: string;
  version: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  description: string;
  current_stage: string;
  source: string;
  run_id: string;
  status: string;
  status_message: string;
  model_id: string;
  user_id: string;
  tags: KeyValue[];
  aliases: string[];
}

export interface RegisteredModel {
  name: string;
  creation_timestamp: number;
  last_updated_timestamp: number;
  description: string;
  latest_versions: ModelVersion[];
  tags: KeyValue[];
  aliases: { alias: string; version: string }[];
}

export interface LoggedModel {
  model_id: string;
  name: string;
  experiment_id: string;
  source_run_id: string;
  status: string;
  model_type: string;
}

type Wire = Record<string, unknown>;
const base = "/ajax-api/2.0/mlflow";
const get = <T>(project: string, path: string, query: Record<string, string | number | undefined>, signal?: AbortSignal) =>
  call<T>(project, "GET", `${base}/${path}`, { query, signal });
const post = <T>(project: string, path: string, body: unknown, signal?: AbortSignal) =>
  call<T>(project, "POST", `${base}/${path}`, { body, signal });

const number = (value: unknown): number => Number(value ?? 0);
const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
const list = <T>(value: unknown): T[] => (Array.isArray(value) ? (value as T[]) : []);
const pairs = (value: unknown): KeyValue[] => list<Wire>(value).map((pair) => ({ key: text(pair.key), value: text(pair.value) }));

export function readExperiment(wire: Wire): Experiment {
  return {
    experiment_id: text(wire.experiment_id),
    name: text(wire.name),
    lifecycle_stage: text(wire.lifecycle_stage) || "active",
    artifact_location: text(wire.artifact_location),
    creation_time: number(wire.creation_time),
    last_update_time: number(wire.last_update_time),
    tags: pairs(wire.tags),
  };
}

export function readRun(wire: Wire): Run {
  const info = (wire.info ?? {}) as Wire;
  const data = (wire.data ?? {}) as Wire;
  const inputs = (wire.inputs ?? {}) as Wire;
  const outputs = (wire.outputs ?? {}) as Wire;
  return {
    info: {
      run_id: text(info.run_id ?? info.run_uuid),
      run_name: text(info.run_name),
      experiment_id: text(info.experiment_id),
      user_id: text(info.user_id),
      status: (text(info.status) || "RUNNING") as RunStatus,
      start_time: number(info.start_time),
      end_time: info.end_time === undefined ? undefined : number(info.end_time),
      artifact_uri: text(info.artifact_uri),
      lifecycle_stage: text(info.lifecycle_stage) || "active",
    },
    metrics: list<Wire>(data.metrics).map((metric) => ({
      key: text(metric.key),
      value: (metric.value ?? 0) as WireNumber,
      timestamp: number(metric.timestamp),
      step: number(metric.step),
    })),
    params: pairs(data.params),
    tags: pairs(data.tags),
    datasets: list<Wire>(inputs.dataset_inputs).map((input) => {
      const dataset = (input.dataset ?? {}) as Wire;
      return {
        tags: pairs(input.tags),
        dataset: {
          name: text(dataset.name),
          digest: text(dataset.digest),
          source_type: text(dataset.source_type),
          source: text(dataset.source),
          schema: text(dataset.schema),
          profile: text(dataset.profile),
        },
      };
    }),
    modelOutputs: list<Wire>(outputs.model_outputs).map((output) => text(output.model_id)).filter(Boolean),
  };
}

function readFile(wire: Wire): ArtifactFile {
  // MLflow leaves a size of zero out.
  return { path: text(wire.path), is_dir: Boolean(wire.is_dir), file_size: number(wire.file_size) };
}

export function readVersion(wire: Wire): ModelVersion {
  return {
    name: text(wire.name),
    version: text(wire.version),
    creation_timestamp: number(wire.creation_timestamp),
    last_updated_timestamp: number(wire.last_updated_timestamp),
    description: text(wire.description),
    current_stage: text(wire.current_stage),
    source: text(wire.source),
    run_id: text(wire.run_id),
    status: text(wire.status),
    status_message: text(wire.status_message),
    model_id: text(wire.model_id),
    user_id: text(wire.user_id),
    tags: pairs(wire.tags),
    aliases: list<unknown>(wire.aliases).map(text),
  };
}

export function readModel(wire: Wire): RegisteredModel {
  return {
    name: text(wire.name),
    creation_timestamp: number(wire.creation_timestamp),
    last_updated_timestamp: number(wire.last_updated_timestamp),
    description: text(wire.description),
    latest_versions: list<Wire>(wire.latest_versions).map(readVersion),
    tags: pairs(wire.tags),
    aliases: list<Wire>(wire.aliases).map(({ alias, version }) => ({ alias: text(alias), version: text(version) })),
  };
}

interface Paged<T> {
  items: T[];
  nextPageToken?: string;
}

export const mlflow = {
  async searchExperiments(
    project: string,
    query: { filter?: string; view?: string; maxResults: number; pageToken?: string; orderBy?: string[] },
    signal?: AbortSignal,
  ): Promise<Paged<Experiment>> {
    const wire = await post<Wire>(project, "experiments/search", {
      max_results: query.maxResults,
      filter: query.filter,
      view_type: query.view,
      page_token: query.pageToken,
      order_by: query.orderBy,
    }, signal);
    return { items: list<Wire>(wire.experiments).map(readExperiment), nextPageToken: text(wire.next_page_token) || undefined };
  },
  async experiment(project: string, experimentId: string, signal?: AbortSignal): Promise<Experiment> {
    const wire = await get<{ experiment: Wire }>(project, "experiments/get", { experiment_id: experimentId }, signal);
    return readExperiment(wire.experiment);
  },
  createExperiment: (project: string, name: string) => post<{ experiment_id: string }>(project, "experiments/create", { name }),
  renameExperiment: (project: string, experimentId: string, name: string) =>
    post(project, "experiments/update", { experiment_id: experimentId, new_name: name }),
  deleteExperiment: (project: string, experimentId: string) => post(project, "experiments/delete", { experiment_id: experimentId }),
  restoreExperiment: (project: string, experimentId: string) => post(project, "experiments/restore", { experiment_id: experimentId }),

  async run(project: string, runId: string, signal?: AbortSignal): Promise<Run> {
    const wire = await get<{ run: Wire }>(project, "runs/get", { run_id: runId }, signal);
    return readRun(wire.run);
  },
  /** Whole runs, wherever their experiments are; the answer's order is the server's. */
  async runsById(project: string, experimentIds: string[], runIds: string[], signal?: AbortSignal): Promise<Run[]> {
    const wire = await post<Wire>(project, "runs/search", {
      experiment_ids: experimentIds,
      filter: `attributes.run_id IN (${runIds.map((id) => `'${id.replaceAll("'", "")}'`).join(", ")})`,
      run_view_type: "ALL",
      max_results: runIds.length,
    }, signal);
    return list<Wire>(wire.runs).map(readRun);
  },
  renameRun: (project: string, runId: string, name: string) => post(project, "runs/update", { run_id: runId, run_name: name }),
  deleteRun: (project: string, runId: string) => post(project, "runs/delete", { run_id: runId }),
  restoreRun: (project: string, runId: string) => post(project, "runs/restore", { run_id: runId }),
  setTag: (project: string, runId: string, key: string, value: string) => post(project, "runs/set-tag", { run_id: runId, key, value }),
  deleteTag: (project: string, runId: string, key: string) => post(project, "runs/delete-tag", { run_id: runId, key }),

  async artifacts(project: string, runId: string, path: string, signal?: AbortSignal): Promise<ArtifactFile[]> {
    const files: ArtifactFile[] = [];
    let token: string | undefined;
    do {
      const wire = await get<Wire>(project, "artifacts/list", { run_id: runId, path, page_token: token }, signal);
      files.push(...list<Wire>(wire.files).map(readFile));
      token = text(wire.next_page_token) || undefined;
    } while (token);
    return files;
  },
  async loggedModelArtifacts(project: string, modelId: string, path: string, signal?: AbortSignal): Promise<ArtifactFile[]> {
    const wire = await get<Wire>(project, `logged-models/${encodeURIComponent(modelId)}/artifacts/directories`, { artifact_directory_path: path }, signal);
    return list<Wire>(wire.files).map(readFile);
  },
  artifactUrl: (project: string, runId: string, path: string) =>
    withQuery(projectPath(project, "/get-artifact"), { run_id: runId, path }),
  loggedModelArtifactUrl: (project: string, modelId: string, path: string) =>
    withQuery(projectPath(project, `${base}/logged-models/${encodeURIComponent(modelId)}/artifacts/files`), { artifact_file_path: path }),
  versionArtifactUrl: (project: string, name: string, version: string, path: string) =>
    withQuery(projectPath(project, "/model-versions/get-artifact"), { name, version, path }),
  download: (url: string, signal?: AbortSignal) => send(url, { signal }),
  /** The first bytes of a file as text. A server that sends the whole file is stopped when enough has come. */
  async beginning(url: string, bytes: number, signal?: AbortSignal): Promise<string> {
    const { body } = await send(url, { signal, headers: { range: `bytes=0-${bytes - 1}` } });
    const reader = body?.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (let taken = 0; reader && taken < bytes; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value.subarray(0, bytes - taken), { stream: true });
      taken += value.length;
    }
    await reader?.cancel();
    return text;
  },

  async searchModels(
    project: string,
    query: { filter?: string; maxResults: number; pageToken?: string },
    signal?: AbortSignal,
  ): Promise<Paged<RegisteredModel>> {
    const wire = await get<Wire>(project, "registered-models/search", {
      filter: query.filter,
      max_results: query.maxResults,
      page_token: query.pageToken,
    }, signal);
    return { items: list<Wire>(wire.registered_models).map(readModel), nextPageToken: text(wire.next_page_token) || undefined };
  },
  async model(project: string, name: string, signal?: AbortSignal): Promise<RegisteredModel> {
    const wire = await get<{ registered_model: Wire }>(project, "registered-models/get", { name }, signal);
    return readModel(wire.registered_model);
  },
  createModel: (project: string, name: string, description: string) =>
    post(project, "registered-models/create", { name, description }),
  updateModel: (project: string, name: string, description: string) =>
    call(project, "PATCH", `${base}/registered-models/update`, { body: { name, description } }),
  renameModel: (project: string, name: string, newName: string) =>
    post(project, "registered-models/rename", { name, new_name: newName }),
  deleteModel: (project: string, name: string) => call(project, "DELETE", `${base}/registered-models/delete`, { body: { name } }),
  setModelTag: (project: string, name: string, key: string, value: string) =>
    post(project, "registered-models/set-tag", { name, key, value }),
  deleteModelTag: (project: string, name: string, key: string) =>
    call(project, "DELETE", `${base}/registered-models/delete-tag`, { body: { name, key } }),
  setAlias: (project: string, name: string, alias: string, version: string) =>
    post(project, "registered-models/alias", { name, alias, version }),
  deleteAlias: (project: string, name: string, alias: string) =>
    call(project, "DELETE", `${base}/registered-models/alias`, { body: { name, alias } }),

  async searchVersions(
    project: string,
    query: { filter: string; maxResults: number; pageToken?: string },
    signal?: AbortSignal,
  ): Promise<Paged<ModelVersion>> {
    const wire = await get<Wire>(project, "model-versions/search", {
      filter: query.filter,
      max_results: query.maxResults,
      page_token: query.pageToken,
      order_by: "version_number DESC",
    }, signal);
    return { items: list<Wire>(wire.model_versions).map(readVersion), nextPageToken: text(wire.next_page_token) || undefined };
  },
  async version(project: string, name: string, version: string, signal?: AbortSignal): Promise<ModelVersion> {
    const wire = await get<{ model_version: Wire }>(project, "model-versions/get", { name, version }, signal);
    return readVersion(wire.model_version);
  },
  async createVersion(
    project: string,
    version: { name: string; source: string; run_id: string; model_id?: string },
  ): Promise<ModelVersion> {
    const wire = await post<{ model_version: Wire }>(project, "model-versions/create", version);
    return readVersion(wire.model_version);
  },
  updateVersion: (project: string, name: string, version: string, description: string) =>
    call(project, "PATCH", `${base}/model-versions/update`, { body: { name, version, description } }),
  deleteVersion: (project: string, name: string, version: string) =>
    call(project, "DELETE", `${base}/model-versions/delete`, { body: { name, version } }),
  transitionStage: (project: string, name: string, version: string, stage: string, archiveOthers: boolean) =>
    post(project, "model-versions/transition-stage", { name, version, stage, archive_existing_versions: archiveOthers }),
  setVersionTag: (project: string, name: string, version: string, key: string, value: string) =>
    post(project, "model-versions/set-tag", { name, version, key, value }),
  deleteVersionTag: (project: string, name: string, version: string, key: string) =>
    call(project, "DELETE", `${base}/model-versions/delete-tag`, { body: { name, version, key } }),

  /** Where a version's files lie: a URI. */
  async versionLocation(project: string, name: string, version: string, signal?: AbortSignal): Promise<string> {
    const wire = await get<Wire>(project, "model-versions/get-download-uri", { name, version }, signal);
    return text(wire.artifact_uri);
  },
  /** A folder of the project's artifact store. Paths are as asked for, with the file's name behind. */
  async storedFiles(project: string, path: string, signal?: AbortSignal): Promise<ArtifactFile[]> {
    const wire = await call<Wire>(project, "GET", "/ajax-api/2.0/mlflow-artifacts/artifacts", { query: { path }, signal });
    return list<Wire>(wire.files).map((file) => ({
      path: `${path}/${text(file.path)}`,
      is_dir: Boolean(file.is_dir),
      file_size: file.file_size === undefined ? undefined : number(file.file_size),
    }));
  },

  async loggedModel(project: string, modelId: string, signal?: AbortSignal): Promise<LoggedModel> {
    const wire = await get<{ model?: { info?: Wire } }>(project, `logged-models/${encodeURIComponent(modelId)}`, {}, signal);
    const info = wire.model?.info ?? {};
    return {
      model_id: text(info.model_id),
      name: text(info.name),
      experiment_id: text(info.experiment_id),
      source_run_id: text(info.source_run_id),
      status: text(info.status),
      model_type: text(info.model_type),
    };
  },
};

/** A value inside the quotes of MLflow's filter language. It knows no escape, so the other quote is used where it can be. */
export function quoteFilterValue(value: string): string {
  return value.includes("'") ? `"${value.replaceAll('"', "")}"` : `'${value}'`;
}
