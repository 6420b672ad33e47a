import { choice, flag, list, optionalText, text } from "../../app/url-state";
import { lineageView } from "../lineage/lineage-panel";

export const runTabs = ["overview", "charts", "system", "artifacts", "lineage"] as const;
export type RunTab = (typeof runTabs)[number];

export const tabView = { tab: choice("tab", runTabs, "overview") };

export const overviewView = { metrics: text("metric"), params: text("param") };

export const filesView = {
  /** A logged model whose files are shown; unset are the files of the run. */
  model: optionalText("of"),
  path: text("file"),
  open: list("open"),
  isRaw: flag("raw"),
};

export const neighbourhoodView = { direction: lineageView.direction, depth: lineageView.depth };
