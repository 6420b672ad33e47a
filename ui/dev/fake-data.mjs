// A small living project in memory: three experiments, a thousand runs, curves, files and a registered model.
import { deflateSync } from "node:zlib";
import { crc32 } from "node:zlib";

let seed = 7;
const random = () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
};
const pick = (list) => list[Math.floor(random() * list.length)];
const hex = (length) => Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join("");

const start = Date.now();
const hour = 3_600_000;
export const experiments = ["Default", "digits", "fraud-scoring"].map((name, id) => ({
  experiment_id: String(id),
  name,
  lifecycle_stage: "active",
  artifact_location: `mlflow-artifacts:/${id}`,
  creation_time: start - (40 - id * 9) * 24 * hour,
  last_update_time: start - (4 - id) * hour,
  tags: id === 1 ? [{ key: "mlflow.note.content", value: "Handwritten digits with scikit-learn: the demo project." }] : [],
}));

const words = ["amber", "brisk", "calm", "dusky", "early", "fleet", "grand", "hazel", "idle", "jolly", "keen", "lucid"];
const birds = ["auk", "crane", "dove", "egret", "finch", "grebe", "heron", "ibis", "jay", "kite", "lark", "merlin"];

function makeRun(index) {
  const experimentId = index < 14 ? "1" : index % 3 === 0 ? "2" : "1";
  const age = index * 37 * 60_000 + random() * 600_000;
  const startTime = start - age - 60_000;
  const status = index < 2 ? "RUNNING" : random() < 0.06 ? "FAILED" : random() < 0.02 ? "KILLED" : "FINISHED";
  const lr = pick(["0.1", "0.03", "0.01", "0.003", "0.001"]);
  const depth = String(2 + Math.floor(random() * 8));
  const skill = 0.8 + 0.15 * random();
  const steps = index < 30 ? 2000 : 60;
  return {
    run_id: `0192f${hex(27)}`,
    run_name: `${pick(words)}-${pick(birds)}-${index}`,
    experiment_id: experimentId,
    status,
    user: pick(["ada", "grace", "katherine"]),
    start_time: Math.round(startTime),
    end_time: status === "RUNNING" ? undefined : Math.round(startTime + 20_000 + random() * 900_000),
    lifecycle_stage: "active",
    steps,
    skill,
    seed: Math.floor(random() * 1e6),
    metrics: {},
    params: { learning_rate: lr, max_depth: depth, solver: pick(["adam", "lbfgs", "sgd"]), batch_size: pick(["32", "64", "128"]), hidden_layers: pick(["(64,)", "(128, 64)", "(256, 128, 64)"]), random_state: "42", early_stopping: pick(["True", "False"]) },
    tags: {
      "mlflow.runName": "", "mlflow.user": "ada", "mlflow.source.name": "train.py", "mlflow.source.type": "LOCAL",
      "mlflow.source.git.commit": "3f2c9a1be07d4f5566aa1200b3d98e6412c70aef", team: pick(["vision", "risk"]), purpose: pick(["baseline", "sweep", "final"]),
    },
  };
}

export const metricKeys = ["accuracy", "loss", "val_accuracy", "val_loss", "train/f1", "train/learning_rate", "system/cpu_percent", "system/memory_mb"];

/** A repeatable curve: the same point for the same run, key and step. */
export function pointAt(run, key, step) {
  const t = step / run.steps;
  const wave = Math.sin(step * 12.9898 + run.seed) * 43758.5453;
  const noise = wave - Math.floor(wave) - 0.5;
  const fall = Math.exp(-5 * t);
  switch (key) {
    case "loss": return 0.15 + 2 * fall * (1.1 - run.skill) * 4 + noise * 0.06 * (fall + 0.3);
    case "val_loss": return 0.25 + 2 * fall * (1.1 - run.skill) * 4 + 0.15 * t * t + noise * 0.09 * (fall + 0.3);
    case "accuracy": return Math.min(0.999, run.skill * (1 - fall) + 0.1 * fall + noise * 0.02);
    case "val_accuracy": return Math.min(0.995, run.skill * 0.98 * (1 - fall) + 0.1 * fall + noise * 0.04);
    case "train/f1": return Math.min(0.99, run.skill * 0.97 * (1 - fall) + 0.08 * fall + noise * 0.03);
    case "train/learning_rate": return Number(run.params.learning_rate) * (0.5 + 0.5 * Math.cos(Math.PI * t));
    case "system/cpu_percent": return 60 + noise * 50;
    default: return 400 + 500 * (1 - fall) + noise * 20;
  }
}

export const runs = Array.from({ length: 1000 }, (_, index) => makeRun(index));
for (const run of runs) {
  run.tags["mlflow.runName"] = run.run_name;
  run.lastStep = run.status === "RUNNING" ? Math.floor(run.steps * 0.4) : run.steps;
  for (const key of metricKeys) run.metrics[key] = pointAt(run, key, run.lastStep);
  if (run.status === "FAILED" && random() < 0.3) run.metrics.loss = "NaN";
}

// One search of its own: a parent and the runs nested in it.
for (const run of runs.slice(20, 28)) run.tags["mlflow.parentRunId"] = runs[28].run_id;
runs[2].tags["mlflow.note.content"] = "Wider second layer, early stopping off.\nBeats the baseline on validation, but overfits after step 1,500.";

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body) >>> 0, body.length + 4);
  return out;
}

/** A confusion matrix, 10 by 10 cells of 36 pixels. */
function drawPng() {
  const size = 360;
  const cells = Array.from({ length: 100 }, (_, at) => (at % 11 === 0 ? 0.8 + random() * 0.2 : random() * 0.15));
  const rows = Buffer.alloc(size * (1 + size * 3));
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const v = x % 36 === 0 || y % 36 === 0 ? 0 : cells[Math.floor(y / 36) * 10 + Math.floor(x / 36)];
      const at = y * (1 + size * 3) + 1 + x * 3;
      rows[at] = 247 - 215 * v;
      rows[at + 1] = 250 - 170 * v;
      rows[at + 2] = 255 - 80 * v;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

const csvRows = Array.from({ length: 240 }, (_, index) => `${index},${pick("0123456789")},${pick("0123456789")},${random().toFixed(4)},"row ${index}, ""quoted"""`);
export const files = {
  "confusion_matrix.png": drawPng(),
  "predictions.csv": Buffer.from(["index,label,predicted,confidence,note", ...csvRows].join("\n")),
  "report/summary.json": Buffer.from(JSON.stringify({ accuracy: 0.971, classes: [...Array(10).keys()], best: { max_depth: 6, solver: "lbfgs" } })),
  "report/notes.txt": Buffer.from("Trained on 1,437 images, tested on 360.\nThe digits 8 and 1 are confused most often.\n"),
  "model/MLmodel": Buffer.from(`artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.2
  sklearn:
    code: null
    sklearn_version: 1.5.2
mlflow_version: 3.17.2
model_size_bytes: 184320
saved_input_example_info:
  artifact_path: input_example.json
  type: ndarray
signature:
  inputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 64]}}]'
  outputs: '[{"type": "long", "required": true, "name": "digit"}]'
  params: null
`),
  "model/input_example.json": Buffer.from(JSON.stringify({ inputs: [Array.from({ length: 64 }, (_, at) => (at * 7) % 17)] })),
  "model/model.pkl": Buffer.alloc(184_320, 7),
  "model/requirements.txt": Buffer.from("mlflow==3.17.2\nscikit-learn==1.5.2\nnumpy==2.1.0\n"),
};

export const projects = [
  { name: "default", description: "", created_at_ms: start - 90 * 24 * hour, role: "admin" },
  { name: "fraud", description: "Card fraud", created_at_ms: start - 30 * 24 * hour, role: "maintainer" },
];

const best = runs.filter((run) => run.status === "FINISHED").slice(0, 4);
export const models = [
  {
    name: "digit-classifier", creation_timestamp: start - 20 * 24 * hour, last_updated_timestamp: start - 2 * hour,
    description: "Reads one handwritten digit of 8 by 8 pixels.", tags: [{ key: "owner", value: "vision" }],
    aliases: [{ alias: "champion", version: "3" }, { alias: "challenger", version: "4" }],
    versions: best.map((run, index) => ({
      name: "digit-classifier", version: String(index + 1), creation_timestamp: run.end_time, last_updated_timestamp: run.end_time,
      current_stage: "None", description: index === 2 ? "Best validation accuracy of the sweep." : "", source: `runs:/${run.run_id}/model`, run_id: run.run_id, status: "READY",
      tags: index === 2 ? [{ key: "validated", value: "yes" }] : [],
    })),
  },
  { name: "fraud-scorer", creation_timestamp: start - 9 * 24 * hour, last_updated_timestamp: start - 30 * hour, description: "", tags: [], aliases: [], versions: [] },
];

let position = 0;
export const events = [];
export function record(action, subject, detail = {}, edges = [], atMs = Date.now(), actor = "ada") {
  position += 1;
  const event = { id: `0192e${hex(27)}`, position, at_ms: atMs, actor: { kind: "user", name: actor }, action, subject, project: "default", request_id: hex(16), detail, edges, hash: hex(64) };
  events.unshift(event);
  return event;
}
for (const experiment of experiments) record("experiment.created", `default/experiment/${experiment.experiment_id}`, { name: experiment.name }, [], experiment.creation_time);
for (const run of runs.slice(0, 60).reverse()) {
  const name = `default/run/${run.run_id}`;
  record("run.created", name, { run_name: run.run_name }, [], run.start_time, run.user);
  record("run.inputs_logged", name, { datasets: ["digits-train"] }, [{ from: "default/dataset/digits-train@5f2a91c7", to: name, kind: "read" }], run.start_time + 2000, run.user);
  if (run.end_time) record("run.finished", name, { status: run.status }, [], run.end_time, run.user);
}
for (const version of models[0].versions) {
  record("version.created", `default/model/${version.name}/${version.version}`, { source: version.source }, [{ from: `default/run/${version.run_id}`, to: `default/model/${version.name}/${version.version}`, kind: "registered" }], version.creation_timestamp);
}
record("alias.set", "default/model/digit-classifier/3", { alias: "champion", previous_version: 2 }, [], start - 2 * hour, "grace");

export const tokens = [{ id: hex(8), kind: "personal", name: "laptop", owner: "ada", scope: "all", created_at_ms: start - 12 * 24 * hour, expires_at_ms: start + 18 * 24 * hour, last_used_at_ms: start - 5 * 60_000 }];
export const newHex = hex;
