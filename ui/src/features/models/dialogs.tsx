import { useState } from "react";
import { mlflow, type ModelVersion } from "../../api/mlflow";
import { useGo, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { plural } from "../../components/format";
import { notify } from "../../components/toast";

interface DialogState {
  onOpenChange: (open: boolean) => void;
  onDone: () => Promise<void>;
}

export function CreateModel({ onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const go = useGo();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const create = async () => {
    await mlflow.createModel(project, name.trim(), description.trim());
    notify(`Model ${name.trim()} was created`);
    await onDone();
    go(paths.model(project, name.trim()));
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title="New model" about="A name under which versions are registered." action="Create model" disabled={!name.trim()} onSubmit={create}>
      <Field label="Name">
        {(id) => <input id={id} className="input" autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Description">
        {(id) => <textarea id={id} className="textarea" rows={3} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

export function RenameModel({ name, onOpenChange, onDone }: DialogState & { name: string }) {
  const project = useProject();
  const go = useGo();
  const [newName, setNewName] = useState(name);
  const rename = async () => {
    await mlflow.renameModel(project, name, newName.trim());
    notify(`Model ${name} is now ${newName.trim()}`);
    // The page of the new name first: the old one would answer that it is gone.
    go(paths.model(project, newName.trim()), { replace: true });
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Rename ${name}`}
      about={`Clients that load models:/${name} must use the new name.`}
      action="Rename"
      disabled={!newName.trim() || newName.trim() === name}
      onSubmit={rename}
    >
      <Field label="New name">
        {(id) => <input id={id} className="input" autoComplete="off" value={newName} onChange={(event) => setNewName(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

interface DeleteModelProps extends DialogState {
  name: string;
  aliases: number;
}

export function DeleteModel({ name, aliases, onOpenChange, onDone }: DeleteModelProps) {
  const project = useProject();
  const go = useGo();
  const [typed, setTyped] = useState("");
  const remove = async () => {
    await mlflow.deleteModel(project, name);
    notify(`Model ${name} was deleted`);
    go(paths.models(project), { replace: true });
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Delete model ${name}?`}
      about={`All its versions${aliases ? ` and ${plural(aliases, "alias", "aliases")}` : ""} go with it. This cannot be undone; runs and their files stay.`}
      action="Delete model"
      danger
      disabled={typed !== name}
      onSubmit={remove}
    >
      <Field label={`Type ${name} to confirm`}>
        {(id) => <input id={id} className="input" autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

export function DeleteVersion({ version, onOpenChange, onDone }: DialogState & { version: ModelVersion }) {
  const project = useProject();
  const remove = async () => {
    await mlflow.deleteVersion(project, version.name, version.version);
    notify(`Version ${version.version} of ${version.name} was deleted`);
    await onDone();
  };
  const lost = version.aliases.length ? ` Its aliases (${version.aliases.join(", ")}) name nothing afterwards.` : "";
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Delete version ${version.version} of ${version.name}?`}
      about={`This cannot be undone, and its number is not given again. The run and its files stay.${lost}`}
      action="Delete version"
      danger
      onSubmit={remove}
    />
  );
}

const stages = ["None", "Staging", "Production", "Archived"];

/** Stages are MLflow's older way of marking versions; aliases are the newer one. */
export function SetStage({ version, onOpenChange, onDone }: DialogState & { version: ModelVersion }) {
  const project = useProject();
  const before = version.current_stage || "None";
  const [stage, setStage] = useState(before);
  const [archives, setArchives] = useState(false);
  const isActive = stage === "Staging" || stage === "Production";
  const move = async () => {
    await mlflow.transitionStage(project, version.name, version.version, stage, isActive && archives);
    notify(`Version ${version.version} moved from ${before} to ${stage}`);
    await onDone();
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title={`Stage of version ${version.version}`} about={`It is in stage ${before} now. Aliases say more than stages; both work.`} action="Move" disabled={stage === before} onSubmit={move}>
      <Field label="Stage">
        {(id) => (
          <select id={id} className="select" value={stage} onChange={(event) => setStage(event.target.value)}>
            {stages.map((each) => <option key={each}>{each}</option>)}
          </select>
        )}
      </Field>
      {isActive ? (
        <label className="check">
          <input type="checkbox" checked={archives} onChange={(event) => setArchives(event.target.checked)} />
          Archive other versions in {stage}
        </label>
      ) : null}
    </FormDialog>
  );
}
