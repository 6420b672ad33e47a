// Reads what the UI shows of an MLmodel file. It is YAML, but MLflow writes it in one plain shape: top-level keys, flavors one
// level below, and the signature's sides as JSON text. A full YAML reader would be ten times this file.

export interface SignatureColumn {
  name: string;
  type: string;
  required: boolean;
}

export interface MlModel {
  flavors: string[];
  mlflowVersion?: string;
  pythonVersion?: string;
  sizeBytes?: number;
  inputs?: SignatureColumn[];
  outputs?: SignatureColumn[];
  /** The input example's file, beside the MLmodel file. */
  inputExamplePath?: string;
  /** The same example as the body of a scoring request. */
  servingExamplePath?: string;
}

export function parseMlModel(text: string): MlModel {
  const lines = text.split(/\r?\n/);
  const top = (key: string) => scalar(lines, key, 0);
  const size = Number(top("model_size_bytes"));
  return {
    flavors: childrenOf(lines, "flavors"),
    mlflowVersion: top("mlflow_version"),
    pythonVersion: lines.map((line) => /^\s+python_version:\s*(.+)$/.exec(line)?.[1]).find(Boolean)?.replace(/['"]/g, ""),
    sizeBytes: size > 0 ? size : undefined,
    inputs: readSide(lines, "inputs"),
    outputs: readSide(lines, "outputs"),
    inputExamplePath: childOf(lines, "saved_input_example_info", "artifact_path"),
    servingExamplePath: childOf(lines, "saved_input_example_info", "serving_input_path"),
  };
}

function scalar(lines: string[], key: string, indent: number): string | undefined {
  const prefix = `${" ".repeat(indent)}${key}:`;
  const line = lines.find((candidate) => candidate.startsWith(prefix));
  const value = line?.slice(prefix.length).trim().replace(/^['"]|['"]$/g, "");
  return value || undefined;
}

/** The names directly below a top-level key. */
function childrenOf(lines: string[], key: string): string[] {
  const start = lines.findIndex((line) => line.startsWith(`${key}:`));
  const names: string[] = [];
  for (const line of start < 0 ? [] : lines.slice(start + 1)) {
    if (/^\S/.test(line)) break;
    const name = /^ {2}([^\s:][^:]*):/.exec(line)?.[1];
    if (name) names.push(name);
  }
  return names;
}

/** The value of one key directly below a top-level key. */
function childOf(lines: string[], parent: string, key: string): string | undefined {
  const start = lines.findIndex((line) => line.startsWith(`${parent}:`));
  if (start < 0) return undefined;
  const end = lines.findIndex((line, index) => index > start && /^\S/.test(line));
  return scalar(lines.slice(start + 1, end < 0 ? undefined : end), key, 2);
}

/** A side of the signature: a JSON list in single quotes, which YAML may fold over several lines. */
function readSide(lines: string[], side: string): SignatureColumn[] | undefined {
  const signature = lines.findIndex((line) => line.startsWith("signature:"));
  if (signature < 0) return undefined;
  const start = lines.findIndex((line, index) => index > signature && line.startsWith(`  ${side}:`));
  if (start < 0) return undefined;
  let value = lines[start]!.slice(`  ${side}:`.length).trim();
  for (let index = start + 1; index < lines.length && /^ {4,}\S/.test(lines[index]!); index += 1) value += ` ${lines[index]!.trim()}`;
  const json = value.startsWith("'") ? value.slice(1, -1).replaceAll("''", "'") : value.startsWith('"') ? unquote(value) : value;
  try {
    const columns = JSON.parse(json) as Record<string, unknown>[] | null;
    return Array.isArray(columns) ? columns.map(readColumn) : undefined;
  } catch {
    return undefined;
  }
}

function unquote(value: string): string {
  try {
    return JSON.parse(value) as string;
  } catch {
    return value;
  }
}

function readColumn(column: Record<string, unknown>, index: number): SignatureColumn {
  const tensor = column["tensor-spec"] as { dtype?: string; shape?: number[] } | undefined;
  const shape = tensor?.shape ? ` (${tensor.shape.join(", ")})` : "";
  return {
    name: typeof column.name === "string" ? column.name : `#${index}`,
    type: tensor ? `${tensor.dtype ?? "tensor"}${shape}` : String(column.type ?? ""),
    required: column.required !== false && column.optional !== true,
  };
}
