import { useState } from "react";
import { mlflow, type ModelVersion } from "../../api/mlflow";
import { useGo, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { plural } from "../../components/format";
import { notify } from "../../components/toast";
import type { ModelChanges } from "./use-model-changes";

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

interface LeavingState {
  onOpenChange: (open: boolean) => void;
  onLeave: ModelChanges["leave"];
}

export function RenameModel({ name, onOpenChange, onLeave }: LeavingState & { name: string }) {
  const project = useProject();
  const [newName, setNewName] = useState(name);
  const rename = async () => {
    await onLeave(() => mlflow.renameModel(project, name, newName.trim()), paths.model(project, newName.trim()));
    notify(`Model ${name} is now ${newName.trim()}`);
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

interface DeleteModelProps extends LeavingState {
  name: string;
  aliases: number;
}

export function DeleteModel({ name, aliases, onOpenChange, onLeave }: DeleteModelProps) {
  const project = useProject();
  const [typed, setTyped] = useState("");
  const remove = async () => {
    await onLeave(() => mlflow.deleteModel(project, name), paths.models(project));
    notify(`Model ${name} was deleted`);
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

interface DeleteVersionProps {
  version: ModelVersion;
  onOpenChange: (open: boolean) => void;
  /** Carries the removal out, and then shows what is left. */
  onDelete: (removal: () => Promise<unknown>) => Promise<void>;
}

export function DeleteVersion({ version, onOpenChange, onDelete }: DeleteVersionProps) {
  const project = useProject();
  const remove = async () => {
    await onDelete(() => mlflow.deleteVersion(project, version.name, version.version));
    notify(`Version ${version.version} of ${version.name} was deleted`);
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
