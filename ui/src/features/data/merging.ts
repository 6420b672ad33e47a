// What a merge will do, as far as histories tell, and what people decide about conflicts.
import { ApiError } from "../../api/http";
import type { DataCommit, MergeConflicts, Side } from "../../api/native";

export type Relation = "up_to_date" | "fast_forward" | "merge" | "unknown";

interface KnownHistory {
  commits: DataCommit[];
  next_page_token?: string;
}

/** How the branch stands to what is merged; `unknown` where the histories go on beyond what was read. */
export function relationOf(source: KnownHistory, dest: KnownHistory): Relation {
  const [sourceTip, destTip] = [source.commits[0]?.id, dest.commits[0]?.id];
  if (dest.commits.some(({ id }) => id === sourceTip)) return "up_to_date";
  if (source.commits.some(({ id }) => id === destTip)) return "fast_forward";
  return source.next_page_token || dest.next_page_token ? "unknown" : "merge";
}

/** The conflicts that the server answered with, if that is what it answered. */
export function conflictsOf(error: unknown): MergeConflicts | undefined {
  const isConflict = error instanceof ApiError && error.status === 409 && Array.isArray(error.body.conflicts);
  return isConflict ? (error.body as unknown as MergeConflicts) : undefined;
}

/** A pattern that matches this path alone: signs that mean something in a pattern stand in brackets. */
export const exactPattern = (path: string) => path.replace(/[*?[{}\\]/g, "[$&]");

/** One rule for each path that was decided. */
export const rulesOf = (decisions: Record<string, Side>) =>
  Object.entries(decisions).map(([path, side]) => ({ pattern: exactPattern(path), side }));
