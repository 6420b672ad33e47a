import { choice, integer, optionalText } from "../../app/url-state";

export const windowsView = {
  /** How many of the latest windows. */
  windows: integer("n", 48, 1, 200),
  /** Only this model version. */
  version: optionalText("v"),
};

export const trafficView = { ...windowsView, latency: choice("lat", ["p50", "p95", "p99"] as const, "p95") };

export const driftView = {
  ...windowsView,
  /** When the window that is looked at begins, in milliseconds since 1970. Unset: the newest. */
  window: optionalText("window"),
  /** The column that is looked at. Unset: the one that drifted most. */
  column: optionalText("column"),
  part: choice("part", ["input", "output"] as const, "input"),
};

/** The measure of quality. Unset: the first that is known. */
export const qualityView = { ...windowsView, measure: optionalText("measure") };
