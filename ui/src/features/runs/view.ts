import { choice, flag, integer, list, optionalList, optionalText, text } from "../../app/url-state";

export const pageSizes = ["50", "100", "250", "1000"] as const;

export const runsView = {
  experiments: list("exp"),
  filter: text("q"),
  /** `-metrics.acc` is descending; empty is the server's order, newest first. */
  sort: text("sort"),
  /** Unset: the first metrics and params. */
  columns: optionalList("cols"),
  selected: list("sel"),
  baseline: optionalText("base"),
  isDeleted: flag("deleted"),
  page: integer("page", 1, 1, 1_000_000),
  pageToken: optionalText("token"),
  pageSize: choice("rows", pageSizes, "100"),
};

export type RunsView = { [K in keyof typeof runsView]: ReturnType<(typeof runsView)[K]["parse"]> };
