// The time axis of a timeline: from the first beginning to the last end, with round steps.

export interface TimelineSegment<State extends string = string> {
  state: State;
  startMs: number;
  /** Absent while it goes on. */
  endMs?: number;
  /** What it was, where a row has several: an attempt, a wait. */
  label?: string;
}

export interface TimelineScale {
  fromMs: number;
  toMs: number;
  /** Where a moment lies, 0 to 1. */
  at: (ms: number) => number;
  /** Round distances from the beginning, in milliseconds. */
  ticks: number[];
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const steps = [100, 200, 500, second, 2 * second, 5 * second, 10 * second, 15 * second, 30 * second, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day];
const ticksAtMost = 8;

export function timelineScale(segments: readonly TimelineSegment[], nowMs: number): TimelineScale | undefined {
  if (!segments.length) return undefined;
  const fromMs = segments.reduce((least, { startMs }) => Math.min(least, startMs), Infinity);
  const end = segments.reduce((most, { startMs, endMs = nowMs }) => Math.max(most, endMs, startMs), -Infinity);
  const span = Math.max(1, end - fromMs);
  const step = steps.find((each) => span / each <= ticksAtMost) ?? Math.ceil(span / ticksAtMost / day) * day;
  const ticks = Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step);
  return { fromMs, toMs: fromMs + span, at: (ms) => Math.min(1, Math.max(0, (ms - fromMs) / span)), ticks };
}
