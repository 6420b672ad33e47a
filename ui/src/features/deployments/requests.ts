// Requests that can be sent to a deployment: an example body, and the same as lines for clients.
import type { MlModel, SignatureColumn } from "../models/mlmodel";

/** The body of a scoring request, from the example that was logged, or made up from the signature. */
export function exampleBody(model: Pick<MlModel, "inputs"> | undefined, logged: string | undefined): string {
  if (logged !== undefined) return tidy(logged);
  const inputs = model?.inputs;
  if (!inputs?.length) return JSON.stringify({ inputs: [[0]] }, undefined, 2);
  if (inputs.length === 1 && isTensor(inputs[0]!)) return JSON.stringify({ inputs: zeros(inputs[0]!) }, undefined, 2);
  return tidy(JSON.stringify({ dataframe_split: { columns: inputs.map(({ name }) => name), data: [inputs.map(placeholder)] } }));
}

const isTensor = ({ type }: SignatureColumn) => /\(.*\)$/.test(type);

function placeholder({ type }: SignatureColumn): unknown {
  if (/^(string|binary|str|object)/.test(type)) return "";
  if (/^bool/.test(type)) return false;
  if (type === "datetime") return "2026-01-01T00:00:00";
  return /^(double|float)/.test(type) ? 0.5 : 0;
}

const placesAtMost = 100_000;

/** An array of zeros in the tensor's shape; a free dimension has one place. */
function zeros({ type }: SignatureColumn): unknown {
  const shape = (/\((.*)\)$/.exec(type)?.[1] ?? "").split(",").map((part) => Math.max(1, Number(part) || 1));
  if (shape.reduce((product, part) => product * part, 1) > placesAtMost) return [];
  return shape.reduceRight<unknown>((inner, length) => Array.from({ length }, () => inner), 0);
}

/** JSON with each row of numbers on a line of its own: a table stays a table. */
export function tidy(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  return print(value, "");
}

function print(value: unknown, indent: string): string {
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const isFlat = value.every((item) => item === null || typeof item !== "object");
    if (isFlat || !value.length) return `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
    return `[\n${value.map((item) => deeper + print(item, deeper)).join(",\n")}\n${indent}]`;
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (!entries.length) return "{}";
    return `{\n${entries.map(([key, item]) => `${deeper}${JSON.stringify(key)}: ${print(item, deeper)}`).join(",\n")}\n${indent}}`;
  }
  return JSON.stringify(value);
}

/** What is wrong with a body before it is sent: nothing, or a sentence. */
export function findFault(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? undefined : "The body must be a JSON object with one of dataframe_split, dataframe_records, instances, inputs.";
  } catch (error) {
    return `This is no JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const inShell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const compact = (body: string) => (findFault(body) ? body : JSON.stringify(JSON.parse(body)));

export const curlLines = (url: string, body: string, needsToken: boolean): string =>
  [`curl ${url}`, ...(needsToken ? [`  -H "authorization: Bearer $LATHE_TOKEN"`] : []), `  -H 'content-type: application/json'`, `  -d ${inShell(compact(body))}`].join(" \\\n");

export const pythonLines = (url: string, body: string, needsToken: boolean): string =>
  [
    ...(needsToken ? ["import os", ""] : []),
    "import requests",
    "",
    "answer = requests.post(",
    `    ${JSON.stringify(url)},`,
    `    headers={"content-type": "application/json"${needsToken ? `, "authorization": f"Bearer {os.environ['LATHE_TOKEN']}"` : ""}},`,
    `    data=${JSON.stringify(compact(body))},`,
    "    timeout=30,",
    ")",
    "answer.raise_for_status()",
    `print(answer.json()["predictions"], answer.headers["x-request-id"])`,
  ].join("\n");

const datatypes: [RegExp, string, string][] = [
  [/^(double|float64)/, "FP64", "float64"],
  [/^(float|float32)/, "FP32", "float32"],
  [/^(long|int64)/, "INT64", "int64"],
  [/^(integer|int32)/, "INT32", "int32"],
  [/^bool/, "BOOL", "bool"],
  [/^(string|str|object|binary|datetime)/, "BYTES", "object"],
];

/** A column is a tensor of shape [rows, 1]; a tensor of the signature keeps its shape. */
export function tritonLines(address: string, deployment: string, inputs: readonly SignatureColumn[] | undefined): string {
  const columns = inputs?.length ? inputs : [{ name: "input", type: "double", required: true }];
  const one = columns.map((column) => {
    const [, datatype, dtype] = datatypes.find(([pattern]) => pattern.test(column.type)) ?? [undefined, "FP64", "float64"];
    const shape = isTensor(column) ? (/\((.*)\)$/.exec(column.type)?.[1] ?? "").split(",").map((part) => String(Math.max(1, Number(part) || 1))) : ["1", "1"];
    const made = datatype === "BYTES" ? `np.array([[b"…"]], dtype=object)` : `np.zeros([${shape.join(", ")}], dtype=np.${dtype}${dtype === "bool" ? "_" : ""})`;
    return `    (${JSON.stringify(column.name)}, ${JSON.stringify(datatype)}, ${made}),`;
  });
  return [
    "import numpy as np",
    "import tritonclient.http as triton",
    "",
    "inputs = []",
    "for name, datatype, values in [",
    ...one,
    "]:",
    "    tensor = triton.InferInput(name, list(values.shape), datatype)",
    "    tensor.set_data_from_numpy(values)",
    "    inputs.append(tensor)",
    `client = triton.InferenceServerClient(${JSON.stringify(address)})`,
    `print(client.infer(${JSON.stringify(deployment)}, inputs).as_numpy("predictions"))`,
  ].join("\n");
}
