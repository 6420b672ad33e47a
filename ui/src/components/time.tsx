import { useEffect, useState, useSyncExternalStore } from "react";
import { formatAgo, formatDateTime, formatDuration, formatUntil } from "./format";

// One clock for all relative times of a page: a table of a thousand rows sets no thousand timers.
let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void) {
  listeners.add(listener);
  now = Date.now();
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 20_000);
  return () => {
    listeners.delete(listener);
    if (!listeners.size) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

export function Ago({ atMs }: { atMs: number }) {
  const current = useSyncExternalStore(subscribe, () => now);
  if (!atMs) return <span className="muted">–</span>;
  return (
    <time dateTime={new Date(atMs).toISOString()} title={formatDateTime(atMs)} className="nowrap">
      {formatAgo(atMs, Math.max(current, atMs))}
    </time>
  );
}

/** How long it is until something; the exact time is its title. */
export function Until({ atMs }: { atMs: number }) {
  const current = useSyncExternalStore(subscribe, () => now);
  return (
    <time dateTime={new Date(atMs).toISOString()} title={formatDateTime(atMs)} className="nowrap">
      {formatUntil(atMs, current)}
    </time>
  );
}

/** A duration that goes on while nothing has ended it. */
export function Duration({ startMs, endMs }: { startMs: number; endMs?: number }) {
  const [current, setCurrent] = useState(() => Date.now());
  const isOpen = endMs === undefined;
  useEffect(() => {
    if (!isOpen) return;
    const tick = setInterval(() => setCurrent(Date.now()), 1000);
    return () => clearInterval(tick);
  }, [isOpen]);
  return <span className="nowrap">{formatDuration((endMs ?? current) - startMs)}</span>;
}
