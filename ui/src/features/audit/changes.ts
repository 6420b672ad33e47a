// What an event's detail says about before and after, where it says so.
import type { LedgerEvent } from "../../api/native";
import { parseName } from "../../components/names";

export interface Change {
  what: string;
  before: unknown;
  after: unknown;
}

export function changesOf({ subject, detail }: Pick<LedgerEvent, "subject" | "detail">): Change[] {
  const changes: Change[] = [];
  for (const [key, before] of Object.entries(detail ?? {})) {
    // Of members, the ledger keeps the role before and the role now.
    if (key === "before") changes.push({ what: "role", before, after: detail?.role });
    if (!key.startsWith("previous_")) continue;
    const what = key.slice("previous_".length);
    // An alias moves to the version that is the event's subject.
    const after = what === "version" ? parseName(subject).id.split("/").at(-1) : detail?.[what];
    changes.push({ what: detail?.alias ? `${what} of ${detail.alias}` : what, before, after });
  }
  return changes;
}
