// What an event's detail says about before and after, where it says so.
import type { LedgerEvent } from "../../api/native";
import { parseName } from "../../components/names";

export interface Change {
  what: string;
  before: unknown;
  after: unknown;
}

export function changesOf({ subject, detail }: Pick<LedgerEvent, "subject" | "detail">): Change[] {
  if (!detail) return [];
  const changes: Change[] = [];
  for (const [key, before] of Object.entries(detail)) {
    if (key === "before") changes.push(...pairs(before, detail.after ?? detail.role));
    if (!key.startsWith("previous_")) continue;
    const what = key.slice("previous_".length);
    changes.push({ what, before, after: detail[what] ?? (what === "version" ? parseName(subject).id.split("/").at(-1) : undefined) });
  }
  return changes;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function pairs(before: unknown, after: unknown): Change[] {
  if (!isRecord(before) && !isRecord(after)) return [{ what: "value", before, after }];
  const [left, right] = [isRecord(before) ? before : {}, isRecord(after) ? after : {}];
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].map((what) => ({ what, before: left[what], after: right[what] }));
}
