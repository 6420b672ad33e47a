import { CircleCheck, CircleDashed, CircleSlash, CircleX, Clock } from "lucide-react";
import type { RunStatus } from "../api/native";

const words: Record<RunStatus, string> = {
  RUNNING: "Running",
  SCHEDULED: "Scheduled",
  FINISHED: "Finished",
  FAILED: "Failed",
  KILLED: "Killed",
};
const icons = { RUNNING: CircleDashed, SCHEDULED: Clock, FINISHED: CircleCheck, FAILED: CircleX, KILLED: CircleSlash };

export function Status({ status }: { status: RunStatus }) {
  const Icon = icons[status] ?? Clock;
  return (
    <span className={`status ${status}`}>
      <Icon size={14} aria-hidden="true" />
      {words[status] ?? status}
    </span>
  );
}
