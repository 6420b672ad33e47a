import type { LedgerEvent } from "../../api/native";

type Deed = Pick<LedgerEvent, "actor" | "action" | "subject">;

/** How many lines above a deed may stand that it is a repetition of. */
const reach = 12;

/** What the server does for itself while jobs run: the jobs' own events tell of it, and the audit log has all. */
const isUpkeep = ({ actor, action }: Deed) => actor.kind === "system" && (action.startsWith("token.") || action.startsWith("run."));

const isSame = (a: Deed, b: Deed) => a.action === b.action && a.subject === b.subject && a.actor.kind === b.actor.kind && a.actor.name === b.actor.name;

/** The same deed of the same actor on the same thing is one line where the newest stands: labels, for one, come in many parts, between what others do. */
export function foldRepeats<E extends Deed>(events: readonly E[]): { event: E; times: number }[] {
  const folded: { event: E; times: number }[] = [];
  for (const event of events) {
    if (isUpkeep(event)) continue;
    const again = folded.slice(-reach).find((line) => isSame(line.event, event));
    if (again) again.times += 1;
    else folded.push({ event, times: 1 });
  }
  return folded;
}
