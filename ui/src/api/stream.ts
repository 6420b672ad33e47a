// Server-sent events that are open only while the page is visible: a browser gives one host six connections, and hidden
// tabs must not use them up.
import { projectPath } from "./http";

type Listener = (data: unknown, id: string) => void;

export interface StreamWatch {
  /** After a pause, when events may have been missed. */
  onReopen?: () => void;
  /** Whether events come; a stream that the page itself closed while it is hidden is not away. */
  onState?: (isLive: boolean) => void;
}

const firstWaitMs = 1_000;
const longestWaitMs = 60_000;

/** Opens a stream; answers how to close it. */
export function openStream(project: string, path: string, listeners: Record<string, Listener>, { onReopen = () => {}, onState = () => {} }: StreamWatch = {}): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waitMs = firstWaitMs;
  // What happens while no stream is open is missed: before the first opening, too, where that had to be tried again.
  let hasGap = false;

  const open = () => {
    clearTimeout(timer);
    if (source) return;
    if (document.visibilityState === "hidden") {
      hasGap = true;
      return;
    }
    const opened = new EventSource(projectPath(project, path));
    source = opened;
    for (const [name, listener] of Object.entries(listeners)) {
      opened.addEventListener(name, (event) => {
        const message = event as MessageEvent<string>;
        listener(JSON.parse(message.data), message.lastEventId);
      });
    }
    opened.addEventListener("open", () => {
      waitMs = firstWaitMs;
      onState(true);
      if (hasGap) onReopen();
      hasGap = false;
    });
    opened.addEventListener("error", () => {
      onState(false);
      hasGap = true;
      // A lost connection is opened again by the browser; after an answer that is no stream it gives up for ever.
      if (opened.readyState !== EventSource.CLOSED) return;
      close();
      timer = setTimeout(open, waitMs);
      waitMs = Math.min(longestWaitMs, waitMs * 2);
    });
  };
  const close = () => {
    clearTimeout(timer);
    hasGap = true;
    source?.close();
    source = undefined;
  };
  const follow = () => (document.visibilityState === "hidden" ? close() : open());

  document.addEventListener("visibilitychange", follow);
  open();
  return () => {
    document.removeEventListener("visibilitychange", follow);
    close();
  };
}
