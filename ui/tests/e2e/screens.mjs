// Addresses of every screen, made from what the server holds: for screenshots and for checks that walk over all of them.

async function ask(base, method, path, body) {
  const response = await fetch(base + path, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** `{name: path}` for the project `default` of a server that asks for no sign-in. */
export async function findScreens(base) {
  const mlflow = "/ajax-api/2.0/mlflow";
  const { registered_models: models = [] } = await ask(base, "GET", `${mlflow}/registered-models/search?max_results=50`);
  const model = models.find((candidate) => candidate.latest_versions?.length) ?? models[0];
  const version = model?.latest_versions?.at(-1)?.version;
  const { experiments = [] } = await ask(base, "POST", `${mlflow}/experiments/search`, { max_results: 100 });
  const { runs } = await ask(base, "POST", "/api/v1/runs/search", {
    experiment_ids: experiments.map((experiment) => experiment.experiment_id), columns: [], max_results: 5, filter: "attributes.status = 'FINISHED'",
  });
  const source = version ? (await ask(base, "GET", `${mlflow}/model-versions/get?name=${encodeURIComponent(model.name)}&version=${version}`)).model_version.run_id : undefined;
  const run = source ?? runs[0]?.run_id;
  const { events } = await ask(base, "GET", "/api/v1/audit?max_results=5");
  const project = "/p/default";
  const screens = {
    home: `${project}/home`,
    experiments: `${project}/experiments`,
    runs: `${project}/runs`,
    models: `${project}/models`,
    audit: `${project}/audit?verify=1&event=${events[0]?.id ?? ""}`,
    tokens: `${project}/tokens`,
  };
  if (run) {
    for (const tab of ["overview", "charts", "artifacts", "lineage"]) screens[`run-${tab}`] = `${project}/runs/${run}?tab=${tab}`;
    screens.compare = `${project}/compare?runs=${runs.slice(0, 4).map((each) => each.run_id).join(",")}`;
    screens.lineage = `${project}/lineage?name=default/run/${run}`;
  }
  if (version) {
    screens.model = `${project}/models/${encodeURIComponent(model.name)}`;
    screens.version = `${project}/models/${encodeURIComponent(model.name)}/versions/${version}`;
  }
  return screens;
}
