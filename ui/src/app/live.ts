// The project's events as they happen. One stream for all pages, open only while a page listens.
import { useEffect, useRef } from "react";
import type { LedgerEvent } from "../api/native";
import { openStream } from "../api/stream";

type Listener = (event: LedgerEvent) => void;

interface Feed {
  listeners: Set<Listener>;
  close: () => void;
}

const feeds = new Map<string, Feed>();

function listen(project: string, listener: Listener, onMissed: () => void): () => void {
  let feed = feeds.get(project);
  if (!feed) {
    const listeners = new Set<Listener>();
    const close = openStream(project, "/api/v1/events/stream", {
      event: (data) => {
        for (const each of listeners) each(data as LedgerEvent);
      },
    }, onMissed);
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
  };
}

/** Calls `onEvent` for each event of the project; `onMissed` when the stream was away and the page should load again. */
export function useLiveEvents(project: string, onEvent: Listener, onMissed: () => void) {
  const handlers = useRef({ onEvent, onMissed });
  useEffect(() => {
    handlers.current = { onEvent, onMissed };
  });
  useEffect(() => listen(project, (event) => handlers.current.onEvent(event), () => handlers.current.onMissed()), [project]);
}
