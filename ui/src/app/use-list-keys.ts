// j/k move, x selects, Enter opens: the same in every list.
import { useEffect, useRef, useState } from "react";
import { areKeysOn, isTyping } from "./shortcuts";

interface ListKeys {
  count: number;
  onOpen?: (index: number) => void;
  onSelect?: (index: number) => void;
  onMove?: (index: number) => void;
  /** More keys of the page, by `event.key`. */
  extra?: Record<string, () => void>;
}

/** Answers the current row, -1 before the first move. */
export function useListKeys(options: ListKeys): number {
  const [current, setCurrent] = useState(-1);
  const latest = useRef({ options, current });
  useEffect(() => {
    latest.current = { options, current };
  });
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || isTyping(event) || !areKeysOn()) return;
      const { options: { count, onOpen, onSelect, onMove, extra }, current: at } = latest.current;
      const onControl = (event.target as HTMLElement).closest("a, button, input") !== null;
      if ((event.key === "j" || event.key === "k") && count > 0) {
        const next = Math.min(count - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)));
        setCurrent(next);
        onMove?.(next);
      } else if (event.key === "x" && at >= 0 && at < count) onSelect?.(at);
      else if (event.key === "Enter" && at >= 0 && at < count && !onControl) onOpen?.(at);
      else if (extra?.[event.key]) extra[event.key]!();
      else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
  return current < options.count ? current : -1;
}
