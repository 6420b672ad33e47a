import type { LedgerEvent } from "../../api/native";

/** One after the other, the same deed of the same actor on the same thing is one line: labels, for one, come in many parts. */
export function foldRepeats<E extends Pick<LedgerEvent, "actor" | "action" | "subject">>(events: readonly E[]): { event: E; times: number }[] {
  const folded: { event: E; times: number }[] = [];
  for (const event of events) {
    const last = folded.at(-1);
    const isAgain = last && last.event.action === event.action && last.event.subject === event.subject && last.event.actor.kind === event.actor.kind && last.event.actor.name === event.actor.name;
    if (isAgain) last.times += 1;
    else folded.push({ event, times: 1 });
  }
  return folded;
}
