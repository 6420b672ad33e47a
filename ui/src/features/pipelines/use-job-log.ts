import { useEffect, useState, useSyncExternalStore } from "react";
import { ApiError } from "../../api/http";
import { pipelines } from "../../api/pipelines";
import { LogBuffer, type LogSnapshot } from "../../components/log-text";

const askAgainMs = 1_000;
const askAgainAfterErrorMs = 5_000;

interface Followed {
  log: LogSnapshot;
  isComplete: boolean;
  error: unknown;
}

const passingStatuses = [408, 429];

/** A refusal that asking again does not change. */
export const isFinal = (error: unknown): boolean => error instanceof ApiError && error.status >= 400 && error.status < 500 && !passingStatuses.includes(error.status);

/** All parts of a log that have been written by now. */
export async function readWholeLog(project: string, runId: string, job: string, attempt: number): Promise<string[]> {
  const parts: string[] = [];
  for (let offset = 0; ; ) {
    const part = await pipelines.log(project, runId, job, { attempt, offset });
    parts.push(part.text);
    if (part.is_complete || part.next_offset <= offset) return parts;
    offset = part.next_offset;
  }
}

/** The log of one attempt, part by part, until nothing follows. */
export function useJobLog(project: string, runId: string, job: string, attempt: number): Followed {
  const [buffer] = useState(() => new LogBuffer());
  const log = useSyncExternalStore(buffer.subscribe, buffer.snapshot);
  const [isComplete, setComplete] = useState(false);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const again = (offset: number, afterMs = askAgainMs) => {
      timer = setTimeout(() => void ask(offset), afterMs);
    };
    const ask = async (offset: number): Promise<void> => {
      // A hidden tab does not read along.
      if (document.visibilityState === "hidden") return again(offset);
      try {
        const part = await pipelines.log(project, runId, job, { attempt, offset }, stop.signal);
        if (stop.signal.aborted) return;
        setError(undefined);
        buffer.append(part.text);
        if (part.is_complete) return setComplete(true);
        return part.next_offset > offset ? await ask(part.next_offset) : again(offset);
      } catch (cause) {
        if (stop.signal.aborted) return;
        setError(cause);
        if (isFinal(cause)) return setComplete(true);
        again(offset, askAgainAfterErrorMs);
      }
    };
    buffer.clear();
    setComplete(false);
    setError(undefined);
    void ask(0);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [buffer, project, runId, job, attempt]);
  return { log, isComplete, error };
}
