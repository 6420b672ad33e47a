// Addresses of every screen, made from what the server holds: for screenshots and for checks that walk over all of them.
import { ask, experimentIds, findRuns, mlflow } from "./api.mjs";

/** `{name: path}` for the project `default` of a server that asks for no sign-in. */
export async function findScreens() {
  const { registered_models: models = [] } = await ask("GET", `${mlflow}/registered-models/search?max_results=50`);
  const model = models.find((candidate) => candidate.latest_versions?.length);
  const ids = [...(await experimentIds()).values()];
  const runs = await findRuns(ids, "attributes.status = 'FINISHED'");
  const project = "/p/default";
  const { events } = await ask("GET", "/api/v1/audit?max_results=1");
  const screens = {
    home: `${project}/home`,
    experiments: `${project}/experiments`,
    runs: `${project}/runs`,
    models: `${project}/models`,
    data: `${project}/data`,
    repository: `${project}/data/flights`,
    "repository-file": `${project}/data/flights?path=2013/&file=2013/jan.csv`,
    "repository-changes": `${project}/data/flights?tab=changes`,
    "repository-commits": `${project}/data/flights?tab=commits`,
    "compare-data": `${project}/data/flights/compare?to=mend&file=2013/jan.csv`,
    "compare-data-merge": `${project}/data/flights/compare?to=mend&merge=1`,
    pipelines: `${project}/pipelines`,
    approvals: `${project}/approvals`,
    audit: `${project}/audit?verify=1&event=${events[0]?.id ?? ""}`,
    tokens: `${project}/tokens`,
    "no-such-page": `${project}/nowhere`,
  };
  const deployments = "/p/serving/deployments";
  screens.deployments = deployments;
  screens["deployment-failed"] = `${deployments}/broken`;
  for (const tab of ["overview", "try", "traffic", "drift", "quality", "alerts"]) screens[`deployment-${tab}`] = `${deployments}/scorer?tab=${tab}`;
  screens["deployment-lineage"] = "/p/serving/lineage?name=serving/deployment/scorer&depth=3";
  const { commits } = await ask("GET", "/api/v1/repos/flights/refs/main/log");
  screens.commit = `${project}/data/flights/commits/${commits[0].id}`;
  let run = runs[0]?.run_id;
  if (model) {
    const { version } = model.latest_versions.at(-1);
    const page = `${project}/models/${encodeURIComponent(model.name)}`;
    const answer = await ask("GET", `${mlflow}/model-versions/get?name=${encodeURIComponent(model.name)}&version=${version}`);
    run = answer.model_version.run_id || run;
    screens.model = page;
    screens.version = `${page}/versions/${version}`;
  }
  if (run) {
    for (const tab of ["overview", "charts", "system", "artifacts", "lineage"]) screens[`run-${tab}`] = `${project}/runs/${run}?tab=${tab}`;
    const compared = runs.slice(0, 4).map((each) => each.run_id).join(",");
    for (const tab of ["table", "charts", "parallel", "scatter"]) screens[`compare-${tab}`] = `${project}/compare?runs=${compared}&tab=${tab}`;
    screens.lineage = `${project}/lineage?name=default/run/${run}`;
    screens["lineage-choice"] = `${project}/lineage`;
    screens["lineage-hidden"] = `${project}/lineage?name=default/model/digit-reader/1&depth=4&hide=logged-model`;
  }
  return screens;
}
