// The states of work that others do for us: jobs, pipeline runs, deployments being made. Never by colour alone.
import { CircleCheck, CircleDashed, CircleSlash, CircleX, Clock, Hand, Recycle, SkipForward } from "lucide-react";
import "./work.css";

export const workStates = ["queued", "waiting", "running", "succeeded", "cached", "failed", "skipped", "cancelled"] as const;
export type WorkState = (typeof workStates)[number];

const looks = {
  queued: { word: "Queued", Icon: Clock },
  waiting: { word: "Waiting for approval", Icon: Hand },
  running: { word: "Running", Icon: CircleDashed },
  succeeded: { word: "Succeeded", Icon: CircleCheck },
  cached: { word: "From cache", Icon: Recycle },
  failed: { word: "Failed", Icon: CircleX },
  skipped: { word: "Skipped", Icon: SkipForward },
  cancelled: { word: "Cancelled", Icon: CircleSlash },
} as const satisfies Record<WorkState, unknown>;

export const stateWord = (state: WorkState): string => looks[state].word;

export function WorkStateIcon({ state, size = 14 }: { state: WorkState; size?: number }) {
  const { Icon } = looks[state];
  return <Icon className={`work-icon ${state}`} size={size} aria-hidden="true" />;
}

/** The icon with its word. */
export function WorkStatus({ state }: { state: WorkState }) {
  return (
    <span className="work-status">
      <WorkStateIcon state={state} />
      {stateWord(state)}
    </span>
  );
}
