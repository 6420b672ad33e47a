import { choice, flag, integer, optionalText, text } from "../../app/url-state";

export const pipelineView = {
  tab: choice("tab", ["runs", "graph", "file"] as const, "runs"),
  status: choice("status", ["", "queued", "running", "succeeded", "failed", "canceled"] as const, ""),
  page: integer("page", 1, 1, 1_000_000),
  pageToken: optionalText("token"),
  /** Whether the form that starts a run is open. */
  isStarting: flag("start"),
  /** The earlier run that the form is filled from. */
  from: optionalText("from"),
};

export const pipelineRunView = {
  draw: choice("draw", ["graph", "timeline"] as const, "graph"),
  /** The job that is shown; unset: the one that most needs to be looked at. */
  job: optionalText("job"),
  /** Which of its attempts the log is of, from 1; 0 for the newest. */
  attempt: integer("attempt", 0, 0, 1_000),
  /** What is searched for in the log. */
  find: text("find"),
};
