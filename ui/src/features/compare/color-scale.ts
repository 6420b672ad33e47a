// Lines coloured by a value: from the first run colour to the second, which colour-blind readers tell apart too.
import type { Dimension } from "./dimensions";

const mix = (share: number) => `color-mix(in oklch, var(--run-1) ${Math.round(share * 100)}%, var(--run-0))`;

export const scaleGradient = `linear-gradient(in oklch to right, var(--run-0), var(--run-1))`;

export function colorOf(dimension: Dimension | undefined, run: number): string {
  const value = dimension?.values[run];
  if (!dimension || value === undefined) return "var(--field-line)";
  return mix(Math.min(1, Math.max(0, dimension.at(value))));
}
