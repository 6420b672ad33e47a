import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "../../api/http";
import { mlflow, quoteFilterValue, type Run } from "../../api/mlflow";
import { useGo, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { useDraft } from "../../app/use-draft";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";

interface DialogState {
  run: Run;
  onOpenChange: (open: boolean) => void;
  onDone: () => void;
}

export function RenameRun({ run, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const [name, setName] = useState(run.info.run_name);
  const rename = async () => {
    await mlflow.renameRun(project, run.info.run_id, name.trim());
    onDone();
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title="Rename run" action="Rename" disabled={!name.trim() || name.trim() === run.info.run_name} onSubmit={rename}>
      <Field label="Name">
        {(id) => <input id={id} className="input" value={name} onChange={(event) => setName(event.target.value)} autoComplete="off" />}
      </Field>
    </FormDialog>
  );
}

export function DeleteRun({ run, onOpenChange, onDone }: DialogState) {
  const project = useProject();
  const remove = async () => {
    await mlflow.deleteRun(project, run.info.run_id);
    notify(`Run ${run.info.run_name} was deleted`);
    onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Delete ${run.info.run_name || "this run"}?`}
      about="It is hidden from lists and takes no more points. It can be restored from here or from the deleted runs."
      action="Delete run"
      danger
      onSubmit={remove}
    />
  );
}

export function EditNote({ note, onSave, onOpenChange }: { note: string; onSave: (note: string) => Promise<unknown>; onOpenChange: (open: boolean) => void }) {
  const [text, setText] = useState(note);
  return (
    <FormDialog open onOpenChange={onOpenChange} title="Description" action="Save" wide disabled={text === note} onSubmit={() => onSave(text)}>
      <Field label="What this run is about" help="Kept in the tag mlflow.note.content, which all MLflow clients know.">
        {(id) => <textarea id={id} className="textarea" rows={8} value={text} onChange={(event) => setText(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

/** Something of a run that can become a model version. */
export interface ModelSource {
  /** `models:/m-…` or `runs:/<run>/<folder>`. */
  uri: string;
  label: string;
  modelId?: string;
}

const suggestedAtMost = 20;

export function RegisterModel({ runId, sources, onOpenChange, onDone }: { runId: string; sources: ModelSource[]; onOpenChange: (open: boolean) => void; onDone: () => void }) {
  const project = useProject();
  const go = useGo();
  const [name, setName] = useState("");
  const [search, setSearch] = useState("");
  const [uri, setUri] = useState(sources[0]?.uri ?? `runs:/${runId}/model`);
  const [typed, setTyped] = useDraft(search, setSearch, 150);
  const models = useQuery({
    queryKey: ["models", project, "suggested", search],
    queryFn: ({ signal }) => mlflow.searchModels(project, { filter: search ? `name ILIKE ${quoteFilterValue(`%${search}%`)}` : undefined, maxResults: suggestedAtMost }, signal),
    placeholderData: (previous) => previous,
  });
  const isKnown = models.data?.items.some((model) => model.name === name.trim());

  const register = async () => {
    const model = name.trim();
    if (!isKnown) await createModel(project, model);
    const modelId = sources.find((source) => source.uri === uri)?.modelId;
    const version = await mlflow.createVersion(project, { name: model, source: uri, run_id: runId, ...(modelId ? { model_id: modelId } : {}) });
    notify(`${model} version ${version.version} was registered`);
    onDone();
    go(paths.version(project, model, version.version));
  };

  return (
    <FormDialog open onOpenChange={onOpenChange} title="Register model" about="A version keeps where it came from. Give it an alias to say that it is in use." action="Register version" disabled={!name.trim() || !uri.trim()} onSubmit={register}>
      <Field label="Model" help={name.trim() ? (isKnown ? "The next version of this model." : "A new model, unless one has this name.") : "Choose one or write a new name."}>
        {(id) => (
          <>
            <input
              id={id}
              className="input"
              list={`${id}-models`}
              autoComplete="off"
              value={typed}
              onChange={(event) => {
                setTyped(event.target.value);
                setName(event.target.value);
              }}
            />
            <datalist id={`${id}-models`}>
              {models.data?.items.map((model) => <option key={model.name} value={model.name} />)}
            </datalist>
          </>
        )}
      </Field>
      <Field label="Files">
        {(id) =>
          sources.length ? (
            <select id={id} className="select" value={uri} onChange={(event) => setUri(event.target.value)}>
              {sources.map((source) => <option key={source.uri} value={source.uri}>{source.label}</option>)}
            </select>
          ) : (
            <input id={id} className="input mono" value={uri} onChange={(event) => setUri(event.target.value)} />
          )
        }
      </Field>
    </FormDialog>
  );
}

async function createModel(project: string, name: string) {
  try {
    await mlflow.createModel(project, name, "");
  } catch (error) {
    // Somebody has just made it: a version of it is still what was asked for.
    if (!(error instanceof ApiError) || error.code !== "RESOURCE_ALREADY_EXISTS") throw error;
  }
}
