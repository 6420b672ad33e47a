import { GitCompareArrows, RotateCcw, Trash2, X } from "lucide-react";
import { useState } from "react";
import { mlflow } from "../../api/mlflow";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { useCanManage } from "../../app/session";
import { Button } from "../../components/button";
import { FormDialog } from "../../components/dialog";
import { plural } from "../../components/format";
import { notify } from "../../components/toast";

export const comparedAtMost = 100;

interface SelectionBarProps {
  selected: string[];
  isDeleted: boolean;
  onClear: () => void;
  onChanged: () => void;
}

export function SelectionBar({ selected, isDeleted, onClear, onChanged }: SelectionBarProps) {
  const project = useProject();
  const canManage = useCanManage();
  const [isAsking, setAsking] = useState(false);
  const count = plural(selected.length, "run");

  // One after the other: a failure names its run and leaves the rest as they were.
  const change = async () => {
    for (const runId of selected) {
      if (isDeleted) await mlflow.restoreRun(project, runId);
      else await mlflow.deleteRun(project, runId);
    }
    notify(isDeleted ? `${count} restored` : `${count} deleted`);
    onClear();
    onChanged();
  };

  return (
    <div className="row">
      <strong>{selected.length} selected</strong>
      {selected.length >= 2 && selected.length <= comparedAtMost ? (
        <AppLink className="button primary small" href={paths.compare(project, { runs: selected.join(",") })}>
          <GitCompareArrows size={14} />
          Compare
        </AppLink>
      ) : (
        <span className="muted">{selected.length < 2 ? "Select another to compare" : `At most ${comparedAtMost} can be compared`}</span>
      )}
      {canManage ? (
        <Button size="small" icon={isDeleted ? <RotateCcw size={13} /> : <Trash2 size={13} />} onClick={() => setAsking(true)}>
          {isDeleted ? "Restore" : "Delete"}
        </Button>
      ) : null}
      <Button size="small" variant="ghost" icon={<X size={13} />} onClick={onClear}>
        Clear
      </Button>
      <FormDialog
        open={isAsking}
        onOpenChange={setAsking}
        title={isDeleted ? `Restore ${count}?` : `Delete ${count}?`}
        about={isDeleted ? "They are listed again." : "Deleted runs are hidden and can be restored."}
        action={isDeleted ? "Restore runs" : "Delete runs"}
        danger={!isDeleted}
        onSubmit={change}
      />
    </div>
  );
}
