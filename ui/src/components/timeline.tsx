// Work over time, a row each: what ran beside what, what waited, and what held up the rest. With a table twin.
import { useMemo, type KeyboardEvent } from "react";
import { AppLink } from "../app/navigation";
import { formatDateTime, formatDuration } from "./format";
import { timelineScale, type TimelineScale, type TimelineSegment } from "./timeline-scale";
import "./work.css";
import { stateWord, WorkStateIcon, WorkStatus, type WorkState } from "./work-state";

export interface TimelineRow {
  id: string;
  label: string;
  state: WorkState;
  href: string;
  /** In order of time; empty while it has not begun. */
  segments: TimelineSegment<WorkState>[];
}

interface TimelineProps {
  label: string;
  rows: TimelineRow[];
  /** Where bars end that go on: give one that moves while anything runs. */
  nowMs: number;
  current?: string;
}

export function Timeline({ label, rows, nowMs, current }: TimelineProps) {
  const scale = useMemo(() => timelineScale(rows.flatMap((row) => row.segments), nowMs), [rows, nowMs]);
  return (
    <div className="timeline-block">
      <div className="timeline" role="group" aria-label={label} onKeyDown={moveBetweenRows}>
        {scale ? <Axis scale={scale} /> : <p className="muted">Nothing has begun yet.</p>}
        <ul>
          {rows.map((row) => (
            <li key={row.id}>
              <AppLink className="timeline-row" href={row.href} aria-current={row.id === current ? "true" : undefined}>
                <span className="timeline-label"><WorkStateIcon state={row.state} /><span className="ellipsis" title={row.label}>{row.label}</span></span>
                <span className="visually-hidden">{rowWords(row, nowMs)}</span>
                <span className="timeline-track" aria-hidden="true">
                  {scale ? row.segments.map((segment) => <Bar key={segment.startMs} segment={segment} scale={scale} nowMs={nowMs} />) : null}
                </span>
                <span className="timeline-duration secondary" aria-hidden="true">{workedWords(row, nowMs)}</span>
              </AppLink>
            </li>
          ))}
        </ul>
      </div>
      <details>
        <summary>As a table</summary>
        <TimelineTable rows={rows} nowMs={nowMs} />
      </details>
    </div>
  );
}

function Axis({ scale }: { scale: TimelineScale }) {
  return (
    <div className="timeline-axis" aria-hidden="true">
      <span />
      <div className="timeline-track">
        {scale.ticks.map((tick) => <span key={tick} className="timeline-tick" style={{ left: `${100 * scale.at(scale.fromMs + tick)}%` }}>{tick ? formatDuration(tick) : "0"}</span>)}
      </div>
    </div>
  );
}

function Bar({ segment, scale, nowMs }: { segment: TimelineSegment<WorkState>; scale: TimelineScale; nowMs: number }) {
  const { state, startMs, endMs = nowMs, label } = segment;
  const left = scale.at(startMs);
  const title = `${label ? `${label}: ` : ""}${stateWord(state)}, ${formatDuration(endMs - startMs)}`;
  return <span className={`timeline-bar ${state}`} title={title} style={{ left: `${100 * left}%`, width: `${100 * Math.max(0, scale.at(endMs) - left)}%` }} />;
}

function TimelineTable({ rows, nowMs }: { rows: TimelineRow[]; nowMs: number }) {
  return (
    <table className="table inset in-text">
      <thead>
        <tr>
          <th>What</th>
          <th>State</th>
          <th>Part</th>
          <th className="number">Began</th>
          <th className="number">Took</th>
        </tr>
      </thead>
      <tbody>
        {rows.flatMap((row) =>
          (row.segments.length ? row.segments : [undefined]).map((segment, index) => (
            <tr key={`${row.id} ${index}`}>
              <td><AppLink href={row.href}>{row.label}</AppLink></td>
              <td><WorkStatus state={segment?.state ?? row.state} /></td>
              <td className="secondary">{segment?.label}</td>
              <td className="number nowrap">{segment ? formatDateTime(segment.startMs) : "–"}</td>
              <td className="number nowrap">{segment ? formatDuration((segment.endMs ?? nowMs) - segment.startMs) : "–"}</td>
            </tr>
          )),
        )}
      </tbody>
    </table>
  );
}

/** Time that was worked: waits do not count. */
export function workedMs(segments: readonly TimelineSegment<WorkState>[], nowMs: number): number {
  return segments.filter(({ state }) => state !== "queued" && state !== "waiting").reduce((sum, { startMs, endMs = nowMs }) => sum + endMs - startMs, 0);
}

/** Nothing of what only waited. */
const workedWords = ({ segments }: TimelineRow, nowMs: number): string => {
  const worked = workedMs(segments, nowMs);
  return worked ? formatDuration(worked) : "";
};

function rowWords(row: TimelineRow, nowMs: number): string {
  const took = workedWords(row, nowMs);
  return `${stateWord(row.state)}${took ? `, ${took}` : ""}${row.segments.length > 1 ? `, ${row.segments.length} parts` : ""}`;
}

/** Arrow keys, Home and End go from row to row. */
function moveBetweenRows(event: KeyboardEvent<HTMLElement>) {
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>(".timeline-row")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const targets: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
  const target = targets[event.key];
  if (at < 0 || target === undefined || !rows[target]) return;
  event.preventDefault();
  rows[target].focus();
}
