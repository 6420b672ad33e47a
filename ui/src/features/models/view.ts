import { integer, optionalList, optionalText, text } from "../../app/url-state";
import { lineageView } from "../lineage/lineage-panel";

export const modelsView = {
  search: text("q"),
  page: integer("page", 1, 1, 1_000_000),
  pageToken: optionalText("token"),
};

export const modelView = {
  page: integer("page", 1, 1, 1_000_000),
  pageToken: optionalText("token"),
  /** Metrics of the source runs, as columns of the versions. Unset: the first ones. */
  metrics: optionalList("cols"),
  /** The version whose lineage is shown. Unset: the champion, or the newest. */
  lineageOf: optionalText("of"),
};

export const versionView = {
  /** The version beside which this one's metrics stand. Unset: the champion. */
  rival: optionalText("vs"),
  params: text("params"),
  folder: text("path"),
  direction: lineageView.direction,
  depth: lineageView.depth,
};
