// Which windows a tab asks for: those of a span, the latest ones, or those around the one that is looked at.
import { useQuery, type UseQueryOptions, type UseQueryResult } from "@tanstack/react-query";
import type { WindowsQuery } from "../../api/native";
import type { TimeMark } from "../../charts/time-data";
import { formatWindow } from "../../components/format";
import type { WindowsView } from "./view";

/** The server's limit. */
const windowsAtMost = 200;

/** Whether a span of time was chosen. */
export const isSpan = ({ fromMs, toMs }: Pick<WindowsView, "fromMs" | "toMs">): boolean => fromMs !== undefined || toMs !== undefined;

/** The windows of the chosen span, or else the latest ones. */
export function windowsQuery(view: WindowsView, windows = isSpan(view) ? windowsAtMost : view.windows): WindowsQuery {
  const { fromMs, toMs, version } = view;
  const span = { ...(fromMs === undefined ? {} : { from_ms: fromMs }), ...(toMs === undefined ? {} : { to_ms: toMs }) };
  return { windows, ...span, ...(version && /^\d+$/.test(version) ? { version: Number(version) } : {}) };
}

/** As many windows, with the one that begins at `startMs` in their middle; `lengthMs` is how long each is. */
export function aroundQuery(view: WindowsView, startMs: number, lengthMs: number): WindowsQuery {
  return windowsQuery({ ...view, fromMs: undefined, toMs: startMs + Math.ceil(view.windows / 2) * lengthMs }, view.windows);
}

interface Windows {
  windows: readonly { start_ms: number; length_ms: number }[];
}

export interface ShownWindows<Found> {
  found: UseQueryResult<Found>;
  /** The window that is looked at, where it is one of those shown. */
  marks: TimeMark[];
  isAround: boolean;
  /** The span has more windows than are shown. */
  isCut: boolean;
  /** What was asked for is not there: the others are shown in its place. */
  goneMs?: number;
}

/** Windows by `queryOf`, and among them the one that the address names, however long ago that was. */
export function useWindows<Found extends Windows>(view: WindowsView, queryOf: (query: WindowsQuery) => UseQueryOptions<Found>): ShownWindows<Found> {
  const startMs = view.window === undefined || !Number.isFinite(Number(view.window)) ? undefined : Number(view.window);
  const isIn = (data: Windows | undefined) => data?.windows.some(({ start_ms }) => start_ms === startMs) ?? false;
  const usual = useQuery(queryOf(windowsQuery(view)));
  const lengthMs = usual.data?.windows[0]?.length_ms;
  const isAway = startMs !== undefined && lengthMs !== undefined && !usual.isPlaceholderData && !isIn(usual.data);
  const around = useQuery({ ...queryOf(aroundQuery(view, startMs ?? 0, lengthMs ?? 0)), enabled: isAway });
  const isGone = isAway && around.data !== undefined && !around.isPlaceholderData && !isIn(around.data);
  const isAround = isAway && !isGone;
  const found = isAround ? around : usual;
  const isCut = isSpan(view) && !isAround && new Set(found.data?.windows.map(({ start_ms }) => start_ms)).size >= windowsAtMost;
  return { found, marks: markOf(isIn(found.data) ? startMs : undefined), isAround, isCut, ...(isGone ? { goneMs: startMs } : {}) };
}

const noMarks: TimeMark[] = [];

const markOf = (startMs: number | undefined): TimeMark[] => (startMs === undefined ? noMarks : [{ atMs: startMs, label: "this window" }]);

/** Why other windows are shown than the one that was asked for. */
export const goneWords = (goneMs: number, version: string | undefined): string =>
  `The window of ${formatWindow(goneMs)} is no longer kept${version ? `, or has nothing of version ${version}` : ""}. Others are shown in its place.`;
