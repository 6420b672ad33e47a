import { useEffect, useRef, useState } from "react";

/** Text that is applied when typing pauses, or at once when that is asked for; it follows the applied value when that changes from elsewhere. */
export function useDraft(applied: string, apply: (text: string) => void, pauseMs = 250): [text: string, change: (text: string) => void, applyNow: () => void] {
  const [draft, setDraft] = useState(applied);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const waiting = useRef<() => void>(undefined);
  const sent = useRef(applied);
  useEffect(() => {
    if (applied !== sent.current) {
      // What still waited was typed over what stood there before.
      clearTimeout(timer.current);
      waiting.current = undefined;
      sent.current = applied;
      setDraft(applied);
    }
  }, [applied]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const applyNow = () => {
    clearTimeout(timer.current);
    waiting.current?.();
    waiting.current = undefined;
  };
  const change = (text: string) => {
    setDraft(text);
    clearTimeout(timer.current);
    waiting.current = () => {
      sent.current = text;
      apply(text);
    };
    timer.current = setTimeout(applyNow, pauseMs);
  };
  return [draft, change, applyNow];
}
