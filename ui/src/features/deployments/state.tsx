// States of a version in a deployment, in an icon and a word.
import { CircleCheck, CircleDashed, CirclePause, CircleX, Hourglass } from "lucide-react";
import type { VersionState } from "../../api/native";

const looks = {
  starting: { word: "Starting", Icon: CircleDashed },
  ready: { word: "Ready", Icon: CircleCheck },
  failed: { word: "Failed", Icon: CircleX },
  draining: { word: "Draining", Icon: Hourglass },
  stopped: { word: "Stopped", Icon: CirclePause },
} as const satisfies Record<VersionState, unknown>;

export function ServingState({ state }: { state: VersionState }) {
  const { word, Icon } = looks[state] ?? { word: state, Icon: CircleDashed };
  return (
    <span className={`serving-state ${state}`}>
      <Icon size={14} aria-hidden="true" />
      {word}
    </span>
  );
}
