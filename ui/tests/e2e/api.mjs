// The server's API as the tests ask it, beside the browser.

export const base = process.env.LATHE_URL ?? "http://127.0.0.1:4400";
export const mlflow = "/ajax-api/2.0/mlflow";
/** How long the server may take until a model answers or a pipeline has run: a machine under load is many times slower. */
export const serverMs = 180_000;

export async function ask(method, path, body, from = base) {
  const response = await fetch(from + path, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** The first true answer; asks until the server has had its time. */
export async function until(look) {
  for (const end = Date.now() + serverMs; ; await new Promise((done) => setTimeout(done, 100))) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${look}`);
  }
}

export async function experimentIds() {
  const { experiments = [] } = await ask("POST", `${mlflow}/experiments/search`, { max_results: 100 });
  return new Map(experiments.map((experiment) => [experiment.name, experiment.experiment_id]));
}

export async function findRuns(experimentIds, filter, columns = []) {
  return (await ask("POST", "/api/v1/runs/search", { experiment_ids: experimentIds, filter, columns, max_results: 100 })).runs;
}
