import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { mlflow, type RegisteredModel } from "../../api/mlflow";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";
import { versionsPageQuery } from "./queries";

interface SetAliasProps {
  model: RegisteredModel;
  /** What is already known when the dialog opens. */
  alias?: string;
  version?: string;
  onOpenChange: (open: boolean) => void;
  onDone: () => Promise<void>;
}

/** Gives an alias to a version, and says before it happens which version loses it. */
export function SetAlias({ model, alias: knownAlias = "", version: knownVersion = "", onOpenChange, onDone }: SetAliasProps) {
  const project = useProject();
  const listId = useId();
  const [alias, setAlias] = useState(knownAlias);
  const [version, setVersion] = useState(knownVersion);
  const versions = useQuery(versionsPageQuery(project, model.name, undefined));
  const name = alias.trim();
  const from = model.aliases.find((entry) => entry.alias === name)?.version;
  const isSame = from !== undefined && from === version;
  const known = new Set(["champion", "challenger", ...model.aliases.map((entry) => entry.alias)]);
  // A long history has more versions than the newest page lists.
  const listed = versions.data?.items.map((item) => item.version) ?? [];
  const choices = [...new Set([...(knownVersion && !listed.includes(knownVersion) ? [knownVersion] : []), ...listed])];

  const set = async () => {
    await mlflow.setAlias(project, model.name, name, version);
    notify(from ? `Alias ${name} moved from version ${from} to version ${version}` : `Alias ${name} now names version ${version}`);
    await onDone();
  };

  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={from && !isSame ? `Move alias ${name}` : "Set an alias"}
      about={`Clients that load models:/${model.name}@${name || "alias"} get this version from then on.`}
      action={from && !isSame ? "Move alias" : "Set alias"}
      disabled={!name || !version || isSame}
      onSubmit={set}
    >
      <Field label="Alias">
        {(id) => (
          <>
            <input id={id} className="input" list={listId} autoComplete="off" spellCheck={false} value={alias} onChange={(event) => setAlias(event.target.value)} />
            <datalist id={listId}>
              {[...known].map((entry) => <option key={entry} value={entry} />)}
            </datalist>
          </>
        )}
      </Field>
      <Field label="Version">
        {(id) => (
          <select id={id} className="select" value={version} onChange={(event) => setVersion(event.target.value)}>
            <option value="">Choose a version</option>
            {choices.map((choice) => <option key={choice} value={choice}>Version {choice}</option>)}
          </select>
        )}
      </Field>
      <p className="note" role="status">
        {name && version ? <Movement alias={name} from={from} to={version} /> : <span className="secondary">Choose an alias and a version.</span>}
      </p>
    </FormDialog>
  );
}

function Movement({ alias, from, to }: { alias: string; from: string | undefined; to: string }) {
  if (from === to) return <span className="secondary">Version {to} is {alias} already.</span>;
  if (!from) return <span><strong>{alias}</strong> is new and will name <strong>version {to}</strong>.</span>;
  return (
    <span>
      <strong>{alias}</strong> moves from <strong>version {from}</strong> to <strong>version {to}</strong>.
    </span>
  );
}

interface DeleteAliasProps {
  name: string;
  alias: string;
  version: string;
  onOpenChange: (open: boolean) => void;
  onDone: () => Promise<void>;
}

export function DeleteAlias({ name, alias, version, onOpenChange, onDone }: DeleteAliasProps) {
  const project = useProject();
  const remove = async () => {
    await mlflow.deleteAlias(project, name, alias);
    notify(`Alias ${alias} was removed from version ${version}`);
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`Remove alias ${alias}?`}
      about={`It names version ${version} now. Clients that load models:/${name}@${alias} will fail until it names a version again.`}
      action="Remove alias"
      danger
      onSubmit={remove}
    />
  );
}
