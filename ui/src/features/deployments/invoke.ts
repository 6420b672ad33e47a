// One request to a deployment, as a client of MLflow's scoring protocol sends it.
import { projectPath, send } from "../../api/http";

export interface Answer {
  text: string;
  /** From the browser and back, in milliseconds. */
  tookMs: number;
  requestId?: string;
}

export const invocationsPath = (project: string, deployment: string) => projectPath(project, `/serving/${encodeURIComponent(deployment)}/invocations`);

export async function invoke(project: string, deployment: string, body: string): Promise<Answer> {
  const startMs = performance.now();
  const response = await send(invocationsPath(project, deployment), { method: "POST", body, headers: { "content-type": "application/json" } });
  const text = await response.text();
  return { text, tookMs: performance.now() - startMs, requestId: response.headers.get("x-request-id") ?? undefined };
}
