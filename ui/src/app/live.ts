// The project's events as they happen. One stream for all pages, open only while a page listens.
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { LedgerEvent } from "../api/native";
import { openStream } from "../api/stream";

interface Listener {
  onEvent: (event: LedgerEvent) => void;
  onMissed: () => void;
}

interface Feed {
  listeners: Set<Listener>;
  close: () => void;
}

const feeds = new Map<string, Feed>();

/** Projects whose stream has broken and is not back yet. */
const broken = new Set<string>();
const watchers = new Set<() => void>();

function setBroken(project: string, isBroken: boolean) {
  if (broken.has(project) === isBroken) return;
  if (isBroken) broken.add(project);
  else broken.delete(project);
  for (const watcher of watchers) watcher();
}

function watch(watcher: () => void) {
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
}

/** Whether what happens in the project no longer comes by itself to the pages that wait for it. */
export const useIsBroken = (project: string): boolean => useSyncExternalStore(watch, () => broken.has(project));

/** Exported for its test; pages use `useLiveEvents`. */
export function listen(project: string, listener: Listener): () => void {
  let feed = feeds.get(project);
  if (!feed) {
    const listeners = new Set<Listener>();
    const tellAll = (tell: (each: Listener) => void) => {
      for (const each of listeners) tell(each);
    };
    const close = openStream(
      project,
      "/api/v1/events/stream",
      { event: (data) => tellAll(({ onEvent }) => onEvent(data as LedgerEvent)) },
      { onReopen: () => tellAll(({ onMissed }) => onMissed()), onState: (isLive) => setBroken(project, !isLive) },
    );
    feed = { listeners, close };
    feeds.set(project, feed);
  }
  const joined = feed;
  joined.listeners.add(listener);
  return () => {
    joined.listeners.delete(listener);
    if (joined.listeners.size) return;
    joined.close();
    feeds.delete(project);
    setBroken(project, false);
  };
}

/** Calls `onEvent` for each event of the project; `onMissed` when the stream was away and the page should load again. */
export function useLiveEvents(project: string, onEvent: Listener["onEvent"], onMissed: Listener["onMissed"]) {
  const handlers = useRef({ onEvent, onMissed });
  useEffect(() => {
    handlers.current = { onEvent, onMissed };
  });
  useEffect(() => listen(project, { onEvent: (event) => handlers.current.onEvent(event), onMissed: () => handlers.current.onMissed() }), [project]);
}
