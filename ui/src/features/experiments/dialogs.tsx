import { useState } from "react";
import { mlflow, type Experiment } from "../../api/mlflow";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";

interface DialogState {
  onOpenChange: (open: boolean) => void;
  onDone: () => void;
}

export function CreateExperiment({ onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const [name, setName] = useState("");
  const create = async () => {
    await mlflow.createExperiment(project, name.trim());
    notify(`Experiment ${name.trim()} was created`);
    onDone();
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title="New experiment" about="An experiment holds runs that are worth comparing." action="Create experiment" disabled={!name.trim()} onSubmit={create}>
      <Field label="Name">
        {(id) => <input id={id} className="input" value={name} onChange={(event) => setName(event.target.value)} autoComplete="off" />}
      </Field>
    </FormDialog>
  );
}

export function RenameExperiment({ experiment, onOpenChange, onDone }: DialogState & { experiment: Experiment }) {
  const project = useProject();
  const [name, setName] = useState(experiment.name);
  const rename = async () => {
    await mlflow.renameExperiment(project, experiment.experiment_id, name.trim());
    onDone();
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title={`Rename ${experiment.name}`} action="Rename" disabled={!name.trim() || name.trim() === experiment.name} onSubmit={rename}>
      <Field label="New name">
        {(id) => <input id={id} className="input" value={name} onChange={(event) => setName(event.target.value)} autoComplete="off" />}
      </Field>
    </FormDialog>
  );
}

export function DeleteExperiment({ experiment, onOpenChange, onDone }: DialogState & { experiment: Experiment }) {
  const project = useProject();
  const remove = async () => {
    await mlflow.deleteExperiment(project, experiment.experiment_id);
    notify(`Experiment ${experiment.name} was deleted`);
    onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Delete ${experiment.name}?`}
      about="Its runs are hidden and refuse writes. It can be restored from the deleted experiments; its name stays taken."
      action="Delete experiment"
      danger
      onSubmit={remove}
    />
  );
}
