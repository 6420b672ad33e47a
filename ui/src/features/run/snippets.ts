// Lines of Python that bring a run, its params or its model back.
import type { Run } from "../../api/mlflow";
import { byName } from "../../components/by-name";

export const tagOf = (run: Run, key: string): string | undefined => run.tags.find((tag) => tag.key === key)?.value;

const pythonWords = new Set(["True", "False", "None"]);

/** A param is a text; what reads as a plain Python number or word is written as one. */
export function pythonValue(value: string): string {
  if (pythonWords.has(value) || /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return value;
  return pythonText(value);
}

/** JSON's escapes are Python's, but for characters beyond the first plane, which both may hold as they are. */
const pythonText = (value: string) => JSON.stringify(value);

export function paramsSnippet(run: Run): string {
  const lines = [...run.params].sort((a, b) => byName(a.key, b.key)).map(({ key, value }) => `    ${pythonText(key)}: ${pythonValue(value)},`);
  return lines.length ? `params = {\n${lines.join("\n")}\n}` : "params = {}";
}

/** What is known of how the run was started. */
export function reproduceSnippet(run: Run): string | undefined {
  const commit = tagOf(run, "mlflow.source.git.commit");
  const source = tagOf(run, "mlflow.source.name");
  const repository = tagOf(run, "mlflow.source.git.repoURL");
  if (!commit) return undefined;
  const lines = [
    ...(repository ? [`git clone ${shellText(repository)} source && cd source`] : []),
    `git checkout ${commit}`,
    ...(source && tagOf(run, "mlflow.source.type") === "LOCAL" && /\.py$/.test(source) ? [`python ${shellText(source)}`] : []),
  ];
  return lines.join("\n");
}

const shellText = (value: string) => (/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`);

export function readRunSnippet(runId: string): string {
  return `import mlflow\n\nrun = mlflow.get_run("${runId}")\nprint(run.data.metrics, run.data.params)`;
}

export function loadModelSnippet(source: string): string {
  return `import mlflow\n\nmodel = mlflow.pyfunc.load_model(${pythonText(source)})`;
}

/** Where a run keeps models in its own files, as clients before MLflow 3 log them: newest last. */
export function modelFolders(run: Run): string[] {
  try {
    const history = JSON.parse(tagOf(run, "mlflow.log-model.history") ?? "[]") as { artifact_path?: unknown }[];
    const folders = history.map((entry) => entry.artifact_path).filter((path): path is string => typeof path === "string" && path !== "");
    return [...new Set(folders)];
  } catch {
    return [];
  }
}
