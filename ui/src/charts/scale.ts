// Linear and logarithmic scales for the small charts of our own.

export interface Scale {
  min: number;
  max: number;
  /** Where a value lies, 0 to 1. */
  at: (value: number) => number;
  ticks: number[];
}

/** A round step that gives about `count` ticks. */
export function niceStep(span: number, count: number): number {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const part = rough / power;
  return (part < 1.5 ? 1 : part < 3 ? 2 : part < 7 ? 5 : 10) * power;
}

export function linearScale(values: readonly number[], tickCount = 4): Scale {
  const finite = values.filter(Number.isFinite);
  let min = finite.length ? Math.min(...finite) : 0;
  let max = finite.length ? Math.max(...finite) : 1;
  if (min === max) {
    const room = Math.abs(min) * 0.1 || 0.5;
    min -= room;
    max += room;
  }
  const step = niceStep(max - min, tickCount);
  const ticks: number[] = [];
  for (let tick = Math.ceil(min / step) * step; tick <= max + step * 1e-6; tick += step) ticks.push(Number(tick.toPrecision(12)));
  return { min, max, at: (value) => (value - min) / (max - min), ticks };
}

export function logScale(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0 && Number.isFinite(value));
  if (!positive.length) return linearScale(values);
  let min = Math.min(...positive);
  let max = Math.max(...positive);
  if (min === max) {
    min /= 2;
    max *= 2;
  }
  const low = Math.log10(min);
  const high = Math.log10(max);
  const ticks: number[] = [];
  for (let power = Math.ceil(low); power <= Math.floor(high); power += 1) ticks.push(10 ** power);
  return { min, max, at: (value) => (Math.log10(value) - low) / (high - low), ticks: ticks.length ? ticks : [min, max] };
}
