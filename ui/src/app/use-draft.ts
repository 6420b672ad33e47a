import { useEffect, useRef, useState } from "react";

/** Text that is applied when typing pauses; it follows the applied value when that changes from elsewhere. */
export function useDraft(applied: string, apply: (text: string) => void, pauseMs = 250): [string, (text: string) => void] {
  const [draft, setDraft] = useState(applied);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const sent = useRef(applied);
  useEffect(() => {
    if (applied !== sent.current) {
      sent.current = applied;
      setDraft(applied);
    }
  }, [applied]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (text: string) => {
    setDraft(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      sent.current = text;
      apply(text);
    }, pauseMs);
  };
  return [draft, change];
}
