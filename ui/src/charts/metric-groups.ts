// Metric names in groups by what stands before their last slash: `train/loss` and `train/f1` are one group.

import { byName } from "../components/by-name";

export interface MetricGroup {
  /** Empty for names without a slash. */
  prefix: string;
  keys: string[];
}

export const isSystemMetric = (key: string) => key.startsWith("system/");

export function groupMetrics(keys: readonly string[]): MetricGroup[] {
  const groups = new Map<string, string[]>();
  for (const key of [...keys].sort(byName)) {
    const prefix = key.slice(0, Math.max(0, key.lastIndexOf("/")));
    groups.set(prefix, [...(groups.get(prefix) ?? []), key]);
  }
  return [...groups].map(([prefix, members]) => ({ prefix, keys: members })).sort((a, b) => rank(a) - rank(b) || byName(a.prefix, b.prefix));
}

/** What the machine did says little about the model: it comes last. */
const rank = (group: MetricGroup) => Number(isSystemMetric(`${group.prefix}/`));

/** A search is a regular expression where it is a valid one, and plain text otherwise; case does not matter. */
export function matcher(search: string): (text: string) => boolean {
  if (!search) return () => true;
  try {
    const pattern = new RegExp(search, "i");
    return (text) => pattern.test(text);
  } catch {
    const plain = search.toLowerCase();
    return (text) => text.toLowerCase().includes(plain);
  }
}
