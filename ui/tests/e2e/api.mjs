// The server's API as the tests ask it, beside the browser.

export const base = process.env.LATHE_URL ?? "http://127.0.0.1:4400";
export const mlflow = "/ajax-api/2.0/mlflow";

export async function ask(method, path, body, from = base) {
  const response = await fetch(from + path, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

export async function experimentIds() {
  const { experiments = [] } = await ask("POST", `${mlflow}/experiments/search`, { max_results: 100 });
  return new Map(experiments.map((experiment) => [experiment.name, experiment.experiment_id]));
}

export async function findRuns(experimentIds, filter, columns = []) {
  return (await ask("POST", "/api/v1/runs/search", { experiment_ids: experimentIds, filter, columns, max_results: 100 })).runs;
}
