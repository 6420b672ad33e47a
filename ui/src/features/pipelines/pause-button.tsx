import { Pause, Play } from "lucide-react";
import { useState } from "react";
import { pipelines, type Pipeline } from "../../api/pipelines";
import { useProject } from "../../app/navigation";
import { Button } from "../../components/button";
import { notify, notifyError } from "../../components/toast";
import { useStartRefusal } from "./use-start-refusal";

interface PauseButtonProps {
  pipeline: Pipeline;
  onDone: () => Promise<void>;
  size?: "small" | "normal";
}

/** Keeps a pipeline from starting by itself, or lets it again, which takes the right to start it. By hand it can be started all the same. */
export function PauseButton({ pipeline: { name, is_paused: isPaused, needs_maintainer: needsMaintainer }, onDone, size = "normal" }: PauseButtonProps) {
  const project = useProject();
  const refusal = useStartRefusal(isPaused && needsMaintainer);
  const [isBusy, setBusy] = useState(false);
  const turn = async () => {
    setBusy(true);
    try {
      await pipelines.setPaused(project, name, !isPaused);
      notify(isPaused ? `${name} may start by itself again` : `Nothing starts ${name} by itself now`);
      await onDone();
    } catch (error) {
      notifyError(error);
    } finally {
      setBusy(false);
    }
  };
  const word = isPaused ? "Resume" : "Pause";
  return <Button size={size} icon={isPaused ? <Play size={13} /> : <Pause size={13} />} disabled={isBusy || refusal !== undefined} title={refusal} aria-label={`${word} ${name}`} onClick={() => void turn()}>{word}</Button>;
}
