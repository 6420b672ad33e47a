import { choice, flag, list, optionalList, optionalText, text } from "../../app/url-state";

export const compareTabs = ["table", "charts", "parallel", "scatter"] as const;
export type CompareTab = (typeof compareTabs)[number];

export const compareView = {
  runs: list("runs"),
  baseline: optionalText("base"),
  tab: choice("tab", compareTabs, "table"),
};

export const tableView = {
  /** Unset: only rows in which runs differ. */
  showsAll: flag("all"),
  search: text("q"),
  sort: text("sort"),
};

export const legendView = { hidden: list("hide") };

export const parallelView = {
  axes: optionalList("axes"),
  color: optionalText("color"),
  ranges: list("range"),
};

const logChoices = ["auto", "1", "0"] as const;

export const scatterView = {
  x: optionalText("sx"),
  y: optionalText("sy"),
  logX: choice("logx", logChoices, "auto"),
  logY: choice("logy", logChoices, "auto"),
};
