import type { LedgerEvent } from "../../api/native";

type Deed = Pick<LedgerEvent, "actor" | "action" | "subject">;

export interface ActivityLine<E extends Deed> {
  /** The newest. */
  event: E;
  /** How often it was done. */
  times: number;
  /** What else the same run did before that. */
  others: number;
}

/** How many lines above a deed may stand that it belongs to. */
const reach = 12;

/** What the server does for itself while jobs run: the jobs' own events tell of it, and the audit log has all. */
const isUpkeep = ({ actor, action }: Deed) => actor.kind === "system" && (action.startsWith("token.") || action.startsWith("run."));

const isSameActor = (a: Deed, b: Deed) => a.actor.kind === b.actor.kind && a.actor.name === b.actor.name;
const isSame = (a: Deed, b: Deed) => a.action === b.action && a.subject === b.subject && isSameActor(a, b);

/**
 * The same deed of the same actor on the same thing is one line where the newest stands: labels, for one, come in many parts,
 * between what others do. What a run does by its own key is one line, too: its page tells the rest.
 */
export function foldRepeats<E extends Deed>(events: readonly E[]): ActivityLine<E>[] {
  const folded: ActivityLine<E>[] = [];
  for (const event of events) {
    if (isUpkeep(event)) continue;
    const near = folded.slice(-reach);
    const again = near.find((line) => isSame(line.event, event));
    const ofRun = event.actor.kind === "run" ? near.find((line) => isSameActor(line.event, event)) : undefined;
    if (again) again.times += 1;
    else if (ofRun) ofRun.others += 1;
    else folded.push({ event, times: 1, others: 0 });
  }
  return folded;
}
