import type { Pipeline } from "../../api/pipelines";
import { Until } from "../../components/time";

/** When the clock starts a pipeline next. */
export function NextRun({ pipeline: { next_run_at_ms: atMs } }: { pipeline: Pipeline }) {
  return atMs === undefined ? <span className="muted">–</span> : <Until atMs={atMs} />;
}
