// Server-sent events that are open only while the page is visible: a browser gives one host six connections, and hidden
// tabs must not use them up.
import { projectPath } from "./http";

type Listener = (data: unknown, id: string) => void;

/** Opens a stream; answers how to close it. `onReopen` runs after a pause, when events may have been missed. */
export function openStream(
  project: string,
  path: string,
  listeners: Record<string, Listener>,
  onReopen: () => void = () => {},
): () => void {
  let source: EventSource | undefined;
  let wasOpen = false;

  const open = () => {
    if (source || document.visibilityState === "hidden") return;
    source = new EventSource(projectPath(project, path));
    for (const [name, listener] of Object.entries(listeners)) {
      source.addEventListener(name, (event) => {
        const message = event as MessageEvent<string>;
        listener(JSON.parse(message.data), message.lastEventId);
      });
    }
    source.addEventListener("open", () => {
      if (wasOpen) onReopen();
      wasOpen = true;
    });
  };
  const close = () => {
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
