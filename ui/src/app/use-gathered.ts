import { useEffect, useRef, useState } from "react";

export interface Gatherer {
  soon: () => void;
  drop: () => void;
}

/** Makes one call of many, `waitMs` after the first of them. Exported for its test; pages use `useGathered`. */
export function gatherer(act: () => void, waitMs: number): Gatherer {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    // What waits is not put off: what goes on without a pause would never be heard.
    soon: () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        act();
      }, waitMs);
    },
    drop: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/** A burst of calls is one call of `act`, as it is by then; none after the page was left. */
export function useGathered(act: () => void, waitMs: number): () => void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  const [{ soon, drop }] = useState(() => gatherer(() => latest.current(), waitMs));
  useEffect(() => drop, [drop]);
  return soon;
}
