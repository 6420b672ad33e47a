// Canonical names `<project>/<kind>/<id>`: the same in lineage, events and links.

import { formatWindow, shortId } from "./format";

export interface ParsedName {
  project: string;
  kind: string;
  id: string;
}

export function parseName(name: string): ParsedName {
  const [project = "", kind = "", ...rest] = name.split("/");
  return { project, kind, id: rest.join("/") };
}

/** The page of a thing, or nothing when it has none. */
export function pageOf(name: string): string | undefined {
  const { project, kind, id } = parseName(name);
  const base = `/p/${encodeURIComponent(project)}`;
  switch (kind) {
    case "run":
      return `${base}/runs/${encodeURIComponent(id)}`;
    case "experiment":
      return `${base}/runs?exp=${encodeURIComponent(id)}`;
    case "model": {
      const slash = id.lastIndexOf("/");
      if (slash < 0) return `${base}/models/${encodeURIComponent(id)}`;
      return `${base}/models/${encodeURIComponent(id.slice(0, slash))}/versions/${encodeURIComponent(id.slice(slash + 1))}`;
    }
    case "data": {
      const [repository = "", commit] = id.split("@");
      const page = `${base}/data/${encodeURIComponent(repository)}`;
      return commit ? `${page}/commits/${encodeURIComponent(commit)}` : page;
    }
    case "pipeline":
      return `${base}/pipelines/${encodeURIComponent(id)}`;
    case "pipeline-run":
      return `${base}/pipeline-runs/${encodeURIComponent(id)}`;
    case "job": {
      const [run = "", job = ""] = id.split("/");
      return `${base}/pipeline-runs/${encodeURIComponent(run)}?job=${encodeURIComponent(job)}`;
    }
    case "deployment":
      return `${base}/deployments/${encodeURIComponent(id)}`;
    case "window": {
      const slash = id.lastIndexOf("/");
      return `${base}/deployments/${encodeURIComponent(id.slice(0, slash))}?tab=drift&window=${encodeURIComponent(id.slice(slash + 1))}`;
    }
    default:
      return undefined;
  }
}

const kindWords: Record<string, string> = {
  "logged-model": "logged model",
  data: "repository",
  dataset: "dataset",
  run: "run",
  experiment: "experiment",
  model: "model",
  token: "token",
  user: "user",
  project: "project",
  "pipeline-run": "pipeline run",
};

export function kindWord(kind: string, id = ""): string {
  if (kind === "model" && id.includes("/")) return "model version";
  if (kind === "data" && id.includes("@")) return "data commit";
  return kindWords[kind] ?? kind.replaceAll("-", " ");
}

/** What is known by an id alone. */
const idKinds: readonly string[] = ["run", "pipeline-run", "logged-model", "prediction"];

/** What a person reads: `scorer v7`, `customers @3fa2`, the last digits of a run's id. */
export function labelOf(name: string): string {
  const { kind, id } = parseName(name);
  if (idKinds.includes(kind)) return shortId(id);
  if (kind === "model" && id.includes("/")) {
    const slash = id.lastIndexOf("/");
    return `${id.slice(0, slash)} v${id.slice(slash + 1)}`;
  }
  if (kind === "job") return id.slice(id.indexOf("/") + 1);
  if (kind === "code") return id.replace(/@(.{8}).+$/, "@$1");
  if (kind === "window") {
    const slash = id.lastIndexOf("/");
    return `${id.slice(0, slash)} ${formatWindow(Number(id.slice(slash + 1)))}`;
  }
  if (kind === "dataset" || kind === "data") return id.replace(/@(.{8}).+$/, "@$1");
  return id || name;
}

/** What an event itself calls its subject, if it does: a run by its name, a pipeline run by its number. */
export function calledIn({ subject, detail }: { subject: string; detail: Record<string, unknown> | null }): string | undefined {
  const { run_name: runName, name, pipeline, number } = detail ?? {};
  const given = runName ?? name ?? (parseName(subject).kind === "pipeline-run" && pipeline && number ? `${String(pipeline)} #${String(number)}` : undefined);
  return typeof given === "string" && given ? given : undefined;
}

/** `run.inputs_logged` → `logged inputs of`: a verb that stands before the subject. */
export function actionPhrase(action: string): string {
  const [, verb = action] = action.split(".");
  const phrases: Record<string, string> = {
    inputs_logged: "logged inputs of",
    outputs_logged: "logged outputs of",
    logged: "logged to",
    tagged: "tagged",
    staged: "changed the stage of",
    uploaded: "uploaded a file to",
    set: "set",
    canary_started: "started a canary of",
    shadow_started: "started a shadow of",
    shadow_ended: "ended the shadow of",
    weight_set: "set the canary's weight of",
    promoted: "promoted the canary of",
    rolled_back: "rolled back",
    alias_followed: "set the alias of",
    branch_created: "made a branch at",
    branch_deleted: "deleted a branch of",
    tag_deleted: "deleted a tag of",
    labels_added: "added labels to",
    reference_set: "set the reference of",
    configured: "changed the monitoring of",
    cancel_asked: "cancelled",
    decided: "decided about",
  };
  if (action === "pipeline.not_started") return "did not start";
  if (action === "alert_rule.created") return "made an alert rule of";
  if (action === "alert_rule.deleted") return "deleted an alert rule of";
  if (action === "alert.raised") return "raised an alert of";
  if (action === "alert.resolved") return "closed an alert of";
  if (action === "alias.set") return "moved an alias of";
  if (action === "alias.deleted") return "removed an alias of";
  if (action === "artifact.deleted") return "deleted a file of";
  if (action === "member.set") return "set a role in";
  if (action === "member.removed") return "removed a member of";
  return phrases[verb] ?? verb.replaceAll("_", " ");
}
