// How a run looks in every chart and table. The colour follows from the run's id, so a run looks the same on every page and
// for every reader. Two runs of one colour differ by dash, and every mark stands beside the run's name: never colour alone.

/** Okabe and Ito's colour-blind-safe hues plus two that keep their distance; each has a twin for dark backgrounds in CSS. */
export const runColorCount = 8;

export const dashPatterns: readonly (readonly number[])[] = [[], [6, 4], [2, 3], [9, 3, 2, 3]];

export interface RunStyle {
  /** 0-based; the colour is the CSS variable `--run-<n>`. */
  color: number;
  /** Index into `dashPatterns`. */
  dash: number;
}

/** FNV-1a: spreads ids that differ in one digit. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash ^= text.charCodeAt(index);
    hash = Math.imul(hash, 0x01000193);
  }
  // The low bits of FNV follow the last character closely; mix the high ones in.
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

export const runColor = (runId: string): number => hashText(runId) % runColorCount;

/** Styles for runs shown together: same colour for the same run always, the next dash where a colour is taken. */
export function assignStyles(runIds: readonly string[]): Map<string, RunStyle> {
  const taken = new Map<number, number>();
  const styles = new Map<string, RunStyle>();
  for (const runId of [...runIds].sort()) {
    if (styles.has(runId)) continue;
    const color = runColor(runId);
    const uses = taken.get(color) ?? 0;
    taken.set(color, uses + 1);
    styles.set(runId, { color, dash: uses % dashPatterns.length });
  }
  return styles;
}

export const cssColor = (color: number): string => `var(--run-${color})`;

/** Canvas knows no CSS variables. */
export function resolveColor(color: number): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--run-${color}`).trim() || "#888";
}

export function resolveVariable(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
