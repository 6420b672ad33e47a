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

/** JSON with each row of numbers on a line of its own: a table stays a table. Numbers stay as they are written: 47.0, and 2⁶³. */
export function tidy(text: string): string {
  const tree = readTree(text);
  return tree === undefined ? text : print(tree, "");
}

/** A number, text or word as written; a list; or fields by their keys as written. */
type Tree = string | { items: Tree[] } | { fields: [string, Tree][] };

function readTree(text: string): Tree | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  let at = 0;
  const read = (): Tree => {
    const token = tokens[at++]!;
    const isEnd = () => {
      if (tokens[at] === ",") at += 1;
      const found = tokens[at] === "]" || tokens[at] === "}";
      if (found) at += 1;
      return found;
    };
    if (token === "[") {
      const items: Tree[] = [];
      while (!isEnd()) items.push(read());
      return { items };
    }
    if (token !== "{") return token;
    const fields: [string, Tree][] = [];
    while (!isEnd()) {
      const key = tokens[at]!;
      at += 2;
      fields.push([key, read()]);
    }
    return { fields };
  };
  return read();
}

function print(tree: Tree, indent: string): string {
  const deeper = `${indent}  `;
  if (typeof tree === "string") return tree;
  if ("items" in tree) {
    if (tree.items.every((item) => typeof item === "string")) return `[${tree.items.join(", ")}]`;
    return `[\n${tree.items.map((item) => deeper + print(item, deeper)).join(",\n")}\n${indent}]`;
  }
  if (!tree.fields.length) return "{}";
  return `{\n${tree.fields.map(([key, item]) => `${deeper}${key}: ${print(item, deeper)}`).join(",\n")}\n${indent}}`;
}

/** The same on one line. */
function compact(text: string): string {
  const join = (tree: Tree): string => {
    if (typeof tree === "string") return tree;
    return "items" in tree ? `[${tree.items.map(join).join(", ")}]` : `{${tree.fields.map(([key, item]) => `${key}: ${join(item)}`).join(", ")}}`;
  };
  const tree = readTree(text);
  return tree === undefined ? text : join(tree);
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
    `    data=${JSON.stringify(compact(body))}.encode(),`,
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
