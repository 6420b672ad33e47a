import { choice, integer, moment, optionalText } from "../../app/url-state";

export const windowsView = {
  /** How many of the latest windows. */
  windows: integer("n", 48, 1, 200),
  /** Only windows that begin in this time. Both unset: the latest ones. */
  fromMs: moment("from"),
  toMs: moment("to"),
  /** When the window that is looked at begins, in milliseconds since 1970. Unset: the newest. */
  window: optionalText("window"),
  /** Only this model version. */
  version: optionalText("v"),
};

export type WindowsView = { [K in keyof typeof windowsView]: ReturnType<(typeof windowsView)[K]["parse"]> };

export const trafficView = { ...windowsView, latency: choice("lat", ["p50", "p95", "p99"] as const, "p95") };

export const driftView = {
  ...windowsView,
  /** The column that is looked at. Unset: the one that drifted most. */
  column: optionalText("column"),
  part: choice("part", ["input", "output"] as const, "input"),
};

/** The measure of quality. Unset: the first that is known. */
export const qualityView = { ...windowsView, measure: optionalText("measure") };
