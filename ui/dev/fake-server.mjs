// A stand-in for `lathe serve` while developing the UI: the same routes over data in memory. FAKE_LOGIN=1 asks for a
// password (ada / lathe), FAKE_EMPTY=1 starts with nothing, PORT chooses the port, and dist/ is served with the real policy.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { BadRequest, compileFilter, sortRuns } from "./fake-filter.mjs";
import { events, experiments, files, metricKeys, models, newHex, pointAt, projects, record, runs, tokens } from "./fake-data.mjs";

const port = Number(process.env.PORT ?? 4400);
const needsLogin = process.env.FAKE_LOGIN === "1";
if (process.env.FAKE_EMPTY === "1") for (const list of [runs, models, events]) list.length = 0;
if (process.env.FAKE_EMPTY === "1") experiments.length = 1;
let signedIn = !needsLogin;
const eventStreams = new Set();
const runStreams = new Map();

const experimentName = (id) => experiments.find((experiment) => experiment.experiment_id === id)?.name ?? "";
const row = (run, columns = []) => ({
  run_id: run.run_id, run_name: run.run_name, experiment_id: run.experiment_id, experiment_name: experimentName(run.experiment_id),
  status: run.status, user: run.user, start_time_ms: run.start_time, end_time_ms: run.end_time, lifecycle_stage: run.lifecycle_stage, source_type: "LOCAL",
  values: Object.fromEntries(columns.map((column) => {
    const [kind, ...rest] = column.split(".");
    return [column, run[kind]?.[rest.join(".")]];
  }).filter(([, value]) => value !== undefined)),
});
const pairs = (record) => Object.entries(record).map(([key, value]) => ({ key, value: String(value) }));
const wholeRun = (run) => ({
  info: { run_uuid: run.run_id, run_id: run.run_id, run_name: run.run_name, experiment_id: run.experiment_id, user_id: run.user, status: run.status, start_time: run.start_time, end_time: run.end_time, artifact_uri: `mlflow-artifacts:/${run.experiment_id}/${run.run_id}/artifacts`, lifecycle_stage: run.lifecycle_stage },
  data: { metrics: Object.entries(run.metrics).map(([key, value]) => ({ key, value, step: run.lastStep, timestamp: run.start_time + run.lastStep * 300 })), params: pairs(run.params), tags: pairs(run.tags) },
  inputs: { dataset_inputs: [{ tags: [{ key: "mlflow.data.context", value: "training" }], dataset: { name: "digits-train", digest: "5f2a91c7", source_type: "sklearn", source: "{}", schema: JSON.stringify({ mlflow_tensorspec: {} }), profile: JSON.stringify({ num_rows: 1437 }) } }] },
  outputs: models.some((model) => model.versions.some((version) => version.run_id === run.run_id)) ? { model_outputs: [{ model_id: `m-${run.run_id}`, step: 0 }] } : {},
});
const findRun = (id) => runs.find((run) => run.run_id === id) ?? fail(404, "RESOURCE_DOES_NOT_EXIST", `Run with id=${id} not found`);
const findModel = (name) => models.find((model) => model.name === name) ?? fail(404, "RESOURCE_DOES_NOT_EXIST", `Registered Model with name=${name} not found`);
const findVersion = (name, version) => findModel(name).versions.find((item) => item.version === String(version)) ?? fail(404, "RESOURCE_DOES_NOT_EXIST", `Model Version (name=${name}, version=${version}) not found`);
const withAliases = (version) => ({ ...version, aliases: findModel(version.name).aliases.filter((alias) => alias.version === version.version).map((alias) => alias.alias) });
const wholeModel = ({ versions, ...model }) => ({ ...model, latest_versions: versions.slice(-1).map(withAliases) });
function fail(status, code, message) {
  throw Object.assign(new Error(message), { status, code });
}
function change(action, subject, detail, edges = []) {
  const event = record(action, subject, detail, edges);
  for (const stream of eventStreams) stream.write(`event: event\nid: ${event.position}\ndata: ${JSON.stringify(event)}\n\n`);
}
function paged(list, size, token) {
  const from = Number(token ?? 0);
  return { items: list.slice(from, from + size), next_page_token: from + size < list.length ? String(from + size) : undefined };
}

function series({ run_ids, metric_keys, x = "step", max_points = 300, from, to }) {
  const out = [];
  for (const run of runs.filter((candidate) => run_ids.includes(candidate.run_id))) {
    for (const key of metric_keys.filter((key) => key in run.metrics)) {
      const all = [];
      for (let step = 0; step <= run.lastStep; step += 1) {
        const at = x === "time" ? run.start_time + step * 300 : step;
        if ((from === undefined || at >= from) && (to === undefined || at <= to)) all.push([at, Math.fround(pointAt(run, key, step))]);
      }
      const size = Math.ceil(all.length / max_points);
      const line = { run_id: run.run_id, metric_key: key, points: all.length, x: [], last: [] };
      if (size > 1) Object.assign(line, { min: [], max: [] });
      for (let at = 0; at < all.length; at += size) {
        const bucket = all.slice(at, at + size);
        const values = bucket.map(([, value]) => value);
        line.x.push(bucket.at(-1)[0]);
        line.last.push(Number(values.at(-1).toPrecision(7)));
        if (size > 1) {
          line.min.push(Number(Math.min(...values).toPrecision(7)));
          line.max.push(Number(Math.max(...values).toPrecision(7)));
        }
      }
      out.push(line);
    }
  }
  return { series: out };
}

function lineage(name) {
  const edges = events.flatMap((event) => event.edges);
  const nodes = new Map([[name, 0]]);
  const kept = [];
  for (const [sign, near, far] of [[-1, "to", "from"], [1, "from", "to"]]) {
    let front = [name];
    for (let depth = 1; depth <= 2; depth += 1) {
      const next = [];
      for (const edge of edges.filter((edge) => front.includes(edge[near])).slice(0, 12)) {
        if (!nodes.has(edge[far])) {
          nodes.set(edge[far], sign * depth);
          next.push(edge[far]);
        }
        kept.push(edge);
      }
      front = next;
    }
  }
  return { center: name, nodes: [...nodes].map(([node, depth]) => ({ name: node, depth, kind: node.split("/")[1], label: node.split("/").slice(2).join("/") })), edges: [...new Set(kept)], truncated: false };
}

function listFiles(folder = "") {
  const prefix = folder ? `${folder}/` : "";
  const found = new Map();
  for (const [path, body] of Object.entries(files)) {
    if (!path.startsWith(prefix)) continue;
    const [head, ...rest] = path.slice(prefix.length).split("/");
    found.set(prefix + head, rest.length ? { path: prefix + head, is_dir: true } : { path: prefix + head, is_dir: false, file_size: body.length });
  }
  return [...found.values()];
}

const filterEvents = (query) => {
  const found = events.filter((event) =>
    (!query.action || event.action === query.action || (query.action.endsWith(".") && event.action.startsWith(query.action))) && (!query.actor || event.actor.name === query.actor) &&
    (!query.subject || event.subject === query.subject || event.subject.startsWith(`${query.subject}/`)) && (!query.from_ms || event.at_ms >= Number(query.from_ms)) && (!query.to_ms || event.at_ms < Number(query.to_ms)));
  const { items, next_page_token } = paged(found, Number(query.max_results ?? 50), query.page_token);
  return { events: items, next_page_token };
};
const step = (id, title, done, snippet) => ({ id, title, done, snippet });

const native = {
  "GET server": () => ({ version: "0.1.0", mode: needsLogin ? "login" : "local", mlflow_version: "3.17.2", database: "sqlite", started_at_ms: Date.now() - 7_200_000 }),
  "POST login": (_, { username, password }) => (password === "lathe" ? ((signedIn = true), { username, is_admin: true }) : fail(401, "unauthenticated", "user name or password is wrong")),
  "POST logout": () => ((signedIn = false), {}),
  "GET whoami": () => ({ actor: { kind: "user", name: needsLogin ? "ada" : "local" }, is_admin: true, project: "default", role: "admin", projects }),
  "POST projects": (_, { name, description }) => (projects.push({ name, description, created_at_ms: Date.now(), role: "admin" }), {}),
  "GET home": () => ({
    getting_started: [
      step("log-run", "Log your first run", runs.length > 0, 'export MLFLOW_TRACKING_URI={origin}\npython -c "import mlflow; mlflow.start_run(); mlflow.log_metric(\'loss\', 0.5)"'),
      step("log-artifact", "Keep a file with a run", runs.length > 0, 'mlflow.log_artifact("report.html")'),
      step("log-dataset", "Say which data a run read", false, 'mlflow.log_input(mlflow.data.from_pandas(frame, name="train"), context="training")'),
      step("register-model", "Register a model version", models.length > 0, 'mlflow.register_model(f"runs:/{run_id}/model", "my-model")'),
      step("set-alias", "Name the version to use", models.length > 0, 'MlflowClient().set_registered_model_alias("my-model", "champion", 1)'),
    ],
    recent_runs: runs.slice(0, 10).map((run) => row(run)),
    counts: { experiments: experiments.length, runs: runs.length, models: models.length, versions: models.flatMap((model) => model.versions).length },
  }),
  "GET activity": filterEvents,
  "GET audit": filterEvents,
  "GET audit/verify": () => ({ verified: true, events: events.length, batches: 96, head: newHex(64), unsealed: 0 }),
  "GET lineage": ({ name }) => lineage(name),
  "POST runs/search": (_, body) => {
    const keep = compileFilter(body.filter);
    const stage = body.run_view_type === "DELETED_ONLY" ? "deleted" : "active";
    const found = sortRuns(runs.filter((run) => body.experiment_ids.includes(run.experiment_id) && run.lifecycle_stage === stage && keep(run)), body.order_by);
    const { items, next_page_token } = paged(found, body.max_results ?? 100, body.page_token);
    return { runs: items.map((run) => row(run, body.columns)), total: found.length, next_page_token };
  },
  "GET runs/columns": ({ search = "" }) => {
    const has = (key) => key.toLowerCase().includes(search.toLowerCase());
    const first = runs[0];
    return { metrics: first ? metricKeys.filter(has) : [], params: Object.keys(first?.params ?? {}).filter(has), tags: Object.keys(first?.tags ?? {}).filter(has), truncated: false };
  },
  "POST metrics/series": (_, body) => series(body),
  "GET tokens": () => ({ tokens }),
  "POST tokens": (_, body) => {
    const id = newHex(8);
    tokens.unshift({ id, kind: "personal", scope: "all", owner: "ada", created_at_ms: Date.now(), expires_at_ms: body.expires_in_days ? Date.now() + body.expires_in_days * 86_400_000 : null, last_used_at_ms: null, ...body });
    return { id, token: `lth_${newHex(43)}` };
  },
};

const experimentOf = (id) => experiments.find((item) => item.experiment_id === id) ?? fail(404, "RESOURCE_DOES_NOT_EXIST", `No Experiment with id=${id} exists`);
const touch = (action, kind, id, apply) => (apply(), change(action, `default/${kind}/${id}`, {}), {});
const setTag = (thing, { key, value }) => (thing.tags = [...thing.tags.filter((tag) => tag.key !== key), { key, value }]);
const deleteTag = (thing, { key }) => (thing.tags = thing.tags.filter((tag) => tag.key !== key));
const likeName = (filter) => /ILIKE '%(.*)%'/i.exec(filter ?? "")?.[1]?.toLowerCase() ?? "";
const mlflow = {
  "POST experiments/search": (_, body) => {
    const stage = body.view_type === "DELETED_ONLY" ? "deleted" : "active";
    const { items, next_page_token } = paged(experiments.filter((item) => item.lifecycle_stage === stage && item.name.toLowerCase().includes(likeName(body.filter))), body.max_results, body.page_token);
    return { experiments: items, next_page_token };
  },
  "GET experiments/get": ({ experiment_id }) => ({ experiment: experimentOf(experiment_id) }),
  "POST experiments/create": (_, { name }) => {
    if (experiments.some((item) => item.name === name)) fail(400, "RESOURCE_ALREADY_EXISTS", `Experiment(name=${name}) already exists.`);
    const experiment_id = String(experiments.length);
    experiments.push({ experiment_id, name, lifecycle_stage: "active", artifact_location: "", creation_time: Date.now(), last_update_time: Date.now(), tags: [] });
    change("experiment.created", `default/experiment/${experiment_id}`, { name });
    return { experiment_id };
  },
  "POST experiments/update": (_, body) => touch("experiment.updated", "experiment", body.experiment_id, () => (experimentOf(body.experiment_id).name = body.new_name)),
  "POST experiments/delete": (_, body) => touch("experiment.deleted", "experiment", body.experiment_id, () => (experimentOf(body.experiment_id).lifecycle_stage = "deleted")),
  "POST experiments/restore": (_, body) => touch("experiment.restored", "experiment", body.experiment_id, () => (experimentOf(body.experiment_id).lifecycle_stage = "active")),
  "GET runs/get": ({ run_id }) => ({ run: wholeRun(findRun(run_id)) }),
  "POST runs/search": (_, body) => {
    const ids = [...(body.filter ?? "").matchAll(/'([^']+)'/g)].map((match) => match[1]);
    return { runs: runs.filter((run) => body.experiment_ids.includes(run.experiment_id) && ids.includes(run.run_id)).map(wholeRun) };
  },
  "POST runs/update": (_, body) => touch("run.updated", "run", body.run_id, () => (findRun(body.run_id).run_name = body.run_name)),
  "POST runs/delete": (_, body) => touch("run.deleted", "run", body.run_id, () => (findRun(body.run_id).lifecycle_stage = "deleted")),
  "POST runs/restore": (_, body) => touch("run.restored", "run", body.run_id, () => (findRun(body.run_id).lifecycle_stage = "active")),
  "POST runs/set-tag": (_, body) => touch("run.tagged", "run", body.run_id, () => (findRun(body.run_id).tags[body.key] = body.value)),
  "POST runs/delete-tag": (_, body) => touch("run.tagged", "run", body.run_id, () => delete findRun(body.run_id).tags[body.key]),
  "GET artifacts/list": ({ path }) => ({ files: listFiles(path) }),
  "GET registered-models/search": (query) => ({ registered_models: models.filter((model) => model.name.includes(likeName(query.filter))).map(wholeModel) }),
  "GET registered-models/get": ({ name }) => ({ registered_model: wholeModel(findModel(name)) }),
  "POST registered-models/rename": (_, body) => touch("model.renamed", "model", body.new_name, () => {
    const model = findModel(body.name);
    for (const version of model.versions) version.name = body.new_name;
    model.name = body.new_name;
  }),
  "DELETE registered-models/delete": (_, body) => touch("model.deleted", "model", body.name, () => models.splice(models.indexOf(findModel(body.name)), 1)),
  "POST registered-models/set-tag": (_, body) => touch("model.tagged", "model", body.name, () => setTag(findModel(body.name), body)),
  "DELETE registered-models/delete-tag": (_, body) => touch("model.tagged", "model", body.name, () => deleteTag(findModel(body.name), body)),
  "POST registered-models/create": (_, body) => (models.some((model) => model.name === body.name) && fail(400, "RESOURCE_ALREADY_EXISTS", `Registered Model (name=${body.name}) already exists.`), models.push({ creation_timestamp: Date.now(), last_updated_timestamp: Date.now(), tags: [], aliases: [], versions: [], ...body }), {}),
  "PATCH registered-models/update": (_, body) => touch("model.updated", "model", body.name, () => (findModel(body.name).description = body.description)),
  "POST registered-models/alias": (_, body) => touch("alias.set", "model", `${body.name}/${body.version}`, () => {
    findVersion(body.name, body.version);
    if (body.alias === "latest") fail(400, "INVALID_PARAMETER_VALUE", "'latest' alias name (case insensitive) is reserved.");
    const model = findModel(body.name);
    model.aliases = [...model.aliases.filter((item) => item.alias !== body.alias), { alias: body.alias, version: String(body.version) }];
  }),
  "DELETE registered-models/alias": (_, body) => touch("alias.deleted", "model", body.name, () => (findModel(body.name).aliases = findModel(body.name).aliases.filter((item) => item.alias !== body.alias))),
  "GET model-versions/search": ({ filter = "" }) => {
    const name = /name\s*=\s*'([^']+)'/.exec(filter)?.[1];
    const runId = /run_id\s*=\s*'([^']+)'/.exec(filter)?.[1];
    return { model_versions: models.flatMap((model) => model.versions).filter((item) => (!name || item.name === name) && (!runId || item.run_id === runId)).reverse() };
  },
  "GET model-versions/get": ({ name, version }) => ({ model_version: withAliases(findVersion(name, version)) }),
  "POST model-versions/create": (_, { name, source, run_id, model_id }) => {
    const model = findModel(name);
    const now = Date.now();
    const version = { name, version: String(model.versions.length + 1), creation_timestamp: now, last_updated_timestamp: now, current_stage: "None", description: "", source, run_id, model_id, status: "READY", tags: [] };
    model.versions.push(version);
    change("version.created", `default/model/${name}/${version.version}`, { source }, [{ from: `default/run/${run_id}`, to: `default/model/${name}/${version.version}`, kind: "registered" }]);
    return { model_version: version };
  },
  "PATCH model-versions/update": (_, body) => touch("version.updated", "model", `${body.name}/${body.version}`, () => (findVersion(body.name, body.version).description = body.description)),
  "DELETE model-versions/delete": (_, body) => touch("version.deleted", "model", `${body.name}/${body.version}`, () => {
    const model = findModel(body.name);
    model.versions.splice(model.versions.indexOf(findVersion(body.name, body.version)), 1);
    model.aliases = model.aliases.filter((alias) => alias.version !== body.version);
  }),
  "POST model-versions/transition-stage": (_, body) => touch("version.staged", "model", `${body.name}/${body.version}`, () => (findVersion(body.name, body.version).current_stage = body.stage)),
  "GET model-versions/get-download-uri": ({ name, version }) => ({ artifact_uri: `mlflow-artifacts:/1/${findVersion(name, version).run_id}/artifacts/model` }),
  "POST model-versions/set-tag": (_, body) => touch("version.tagged", "model", `${body.name}/${body.version}`, () => setTag(findVersion(body.name, body.version), body)),
  "DELETE model-versions/delete-tag": (_, body) => touch("version.tagged", "model", `${body.name}/${body.version}`, () => deleteTag(findVersion(body.name, body.version), body)),
};

function stream(request, response, set) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(": hello\n\n");
  set.add(response);
  request.on("close", () => set.delete(response));
}

// Running runs go on: ten steps every 1.5 seconds, pushed to whoever watches.
setInterval(() => {
  for (const run of runs.filter((candidate) => candidate.status === "RUNNING")) {
    const points = [];
    for (let count = 0; count < 10; count += 1) {
      run.lastStep += 1;
      for (const key of metricKeys) {
        run.metrics[key] = pointAt(run, key, run.lastStep);
        points.push({ key, step: run.lastStep, timestamp: run.start_time + run.lastStep * 300, value: run.metrics[key] });
      }
    }
    if (run.lastStep >= run.steps) {
      Object.assign(run, { status: "FINISHED", end_time: Date.now() });
      change("run.finished", `default/run/${run.run_id}`, { status: "FINISHED" });
    }
    for (const response of runStreams.get(run.run_id) ?? []) {
      response.write(`event: points\ndata: ${JSON.stringify({ points })}\n\n`);
      if (run.status === "FINISHED") response.write(`event: run\ndata: ${JSON.stringify({ status: "FINISHED", run_name: run.run_name, end_time_ms: run.end_time, lifecycle_stage: "active" })}\n\n`);
    }
  }
}, 1500).unref();

const policy = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const types = { js: "text/javascript", css: "text/css", svg: "image/svg+xml", html: "text/html; charset=utf-8" };
async function page(path, response) {
  const send = (body, name) => response.writeHead(200, { "content-type": types[name.split(".").pop()] ?? "application/octet-stream", "content-security-policy": policy, "x-content-type-options": "nosniff" }).end(body);
  const read = (name) => readFile(new URL(`../dist/${name}`, import.meta.url));
  try {
    send(await read(path.slice(1) || "index.html"), path.slice(1) || "index.html");
  } catch {
    send(await read("index.html"), "index.html");
  }
}

createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  const path = url.pathname.replace(/^\/p\/[^/]+(?=\/(api|ajax-api|get-artifact|model-versions\/get))/, "");
  const query = Object.fromEntries(url.searchParams);
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = chunks.length ? JSON.parse(Buffer.concat(chunks)) : {};
  const json = (value, status = 200) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  try {
    const route = path.replace("/api/v1/", "");
    if (path.startsWith("/api/v1/") && !signedIn && !["login", "server"].includes(route)) fail(401, "unauthenticated", "sign in first");
    if (route === "events/stream") return stream(request, response, eventStreams);
    const watched = /^runs\/(\w+)\/stream$/.exec(route)?.[1];
    if (watched) {
      if (!runStreams.has(watched)) runStreams.set(watched, new Set());
      return stream(request, response, runStreams.get(watched));
    }
    if (request.method === "DELETE" && route.startsWith("tokens/")) {
      tokens.splice(tokens.findIndex((token) => token.id === route.slice(7)), 1);
      return json({});
    }
    if (path === "/get-artifact" || path === "/model-versions/get-artifact") {
      const file = files[path === "/get-artifact" ? query.path : `model/${query.path}`];
      if (!file) fail(404, "RESOURCE_DOES_NOT_EXIST", `No such artifact: '${query.path}'`);
      return response.writeHead(200, { "content-type": "application/octet-stream", "content-length": file.length, "content-disposition": "attachment" }).end(file);
    }
    if (path === "/ajax-api/2.0/mlflow-artifacts/artifacts") {
      const folder = query.path.replace(/^.*?\/artifacts\//, "");
      return json({ files: listFiles(folder).map((file) => ({ ...file, path: file.path.slice(folder.length + 1) })) });
    }
    const handler = path.startsWith("/api/v1/") ? native[`${request.method} ${route}`] : mlflow[`${request.method} ${path.replace("/ajax-api/2.0/mlflow/", "")}`];
    if (handler) return json(handler(query, body));
    const inModel = /^\/ajax-api\/2.0\/mlflow\/logged-models\/[^/]+\/artifacts\/(directories|files)$/.exec(path)?.[1];
    if (inModel === "files") return response.writeHead(200, { "content-type": "application/octet-stream", "content-disposition": "attachment" }).end(files[`model/${query.artifact_file_path}`]);
    if (inModel) return json({ files: listFiles("model").map((file) => ({ ...file, path: file.path.slice("model/".length) })) });
    if (path.startsWith("/ajax-api/2.0/mlflow/logged-models/")) return json({ model: { info: { model_id: path.split("/").pop(), name: "digits-mlp", source_run_id: path.split("/").pop().slice(2), status: "LOGGED_MODEL_READY" } } });
    if (/^\/(ajax-)?api\//.test(path)) fail(404, "not_found", `no such path: ${request.method} ${path}`);
    return page(path, response);
  } catch (error) {
    const status = error.status ?? (error instanceof BadRequest ? 400 : 500);
    const code = error.code ?? (error instanceof BadRequest ? "invalid_argument" : "internal");
    return json(path.startsWith("/api/v1/") ? { code, message: error.message, request_id: newHex(16) } : { error_code: code, message: error.message }, status);
  }
}).listen(port, "127.0.0.1", () => console.log(`fake Lathe on http://127.0.0.1:${port}`));
