// Charts that come into sight together ask together: one request for up to twenty metrics of the same runs.
import { native, type Series } from "../api/native";
import type { XAxis } from "./chart-data";

export interface SeriesRequest {
  project: string;
  runIds: string[];
  x: XAxis;
  maxPoints: number;
  from?: number;
  to?: number;
}

const keysPerRequest = 20;
const gatherMs = 15;

interface Waiting {
  request: SeriesRequest;
  keys: Map<string, { resolve: (series: Series[]) => void; reject: (error: unknown) => void }[]>;
}

const waiting = new Map<string, Waiting>();

export function loadSeries(request: SeriesRequest, metricKey: string): Promise<Series[]> {
  return new Promise((resolve, reject) => {
    const id = JSON.stringify(request);
    let batch = waiting.get(id);
    if (!batch) {
      batch = { request, keys: new Map() };
      waiting.set(id, batch);
      setTimeout(() => {
        waiting.delete(id);
        void send(batch!);
      }, gatherMs);
    }
    batch.keys.set(metricKey, [...(batch.keys.get(metricKey) ?? []), { resolve, reject }]);
  });
}

async function send({ request: { project, runIds, x, maxPoints, from, to }, keys }: Waiting) {
  const all = [...keys.keys()];
  for (let at = 0; at < all.length; at += keysPerRequest) {
    const part = all.slice(at, at + keysPerRequest);
    try {
      const { series } = await native.series(project, { run_ids: runIds, metric_keys: part, x, max_points: maxPoints, from, to });
      for (const key of part) for (const { resolve } of keys.get(key)!) resolve(series.filter((line) => line.metric_key === key));
    } catch (error) {
      for (const key of part) for (const { reject } of keys.get(key)!) reject(error);
    }
  }
}
