// Widths that drawings of our own are made for.
import { useLayoutEffect, useState, type RefObject } from "react";

/** The width of an element. */
export function useWidth(ref: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

/** Below this, text can no longer be read: what is wider then is scrolled. */
const leastScale = 0.85;

/** How much a drawing is made smaller so that it fits into the element; never larger than it is. */
export function useFit(ref: RefObject<HTMLElement | null>, drawnWidth: number): number {
  const width = useWidth(ref);
  return width > 0 && drawnWidth > width ? Math.max(leastScale, width / drawnWidth) : 1;
}
