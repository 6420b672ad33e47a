// Rows of the comparison table: one per key, one cell per run, and whether the runs differ in it.

import { byName } from "../../components/by-name";

export interface ComparedRow<V> {
  key: string;
  values: (V | undefined)[];
  differs: boolean;
}

/** Numbers written differently (`0.10`, `1e-1`) are equal; an absent value differs from any present one. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a === "" || b === "") return false;
  const left = Number(a);
  const right = Number(b);
  if (Number.isNaN(left) || Number.isNaN(right)) return String(a) === String(b);
  return left === right;
}

export function compareKeys<V>(maps: readonly ReadonlyMap<string, V>[]): ComparedRow<V>[] {
  const keys = new Set(maps.flatMap((map) => [...map.keys()]));
  return [...keys].sort(byName).map((key) => {
    const values = maps.map((map) => map.get(key));
    return { key, values, differs: values.some((value) => !sameValue(value, values[0])) };
  });
}
