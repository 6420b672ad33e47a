import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { native, type RefKind } from "../../api/native";
import { useGo, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";
import { shortCommit } from "./view";

interface DialogProps {
  onOpenChange: (open: boolean) => void;
}

export function CreateRepository({ onOpenChange }: DialogProps) {
  const project = useProject();
  const go = useGo();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const create = async () => {
    await native.createRepository(project, { name: name.trim(), description: description.trim() || undefined });
    notify(`Repository ${name.trim()} was created`);
    await queries.invalidateQueries({ queryKey: ["data", project] });
    go(paths.repository(project, name.trim()));
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title="New repository" about="Files under version control, with the branch main." action="Create repository" disabled={!name.trim()} onSubmit={create}>
      <Field label="Name" help="3 to 63 of a-z, 0-9 and -; it is also the bucket that S3 clients use.">
        {(id) => <input id={id} className="input" autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Description">
        {(id) => <textarea id={id} className="textarea" rows={3} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

interface OfRepository extends DialogProps {
  repository: string;
  revision: string;
}

export function CommitChanges({ repository, revision, onOpenChange }: OfRepository) {
  const project = useProject();
  const queries = useQueryClient();
  const [message, setMessage] = useState("");
  const commit = async () => {
    const made = await native.commitBranch(project, repository, revision, message.trim());
    notify(`Committed ${shortCommit(made.id)}`);
    await queries.invalidateQueries({ queryKey: ["data", project, repository] });
    onOpenChange(false);
  };
  return (
    <FormDialog open onOpenChange={onOpenChange} title={`Commit ${revision}`} about="Everything that is not committed on the branch becomes a state that never changes." action="Commit" disabled={!message.trim()} onSubmit={commit}>
      <Field label="Message" help="Why the files changed.">
        {(id) => <textarea id={id} className="textarea" rows={3} value={message} onChange={(event) => setMessage(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}

export function CreateRef({ repository, revision, kind, onOpenChange, onDone }: OfRepository & { kind: RefKind; onDone: (name: string) => void }) {
  const project = useProject();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const create = async () => {
    await native.createRef(project, repository, kind, { name: name.trim(), from: revision });
    notify(`The ${kind} ${name.trim()} was created`);
    await queries.invalidateQueries({ queryKey: ["data", project, repository] });
    onDone(name.trim());
  };
  const about = kind === "branch" ? "A place to change files; nothing is copied." : "A name for this commit that does not move.";
  return (
    <FormDialog open onOpenChange={onOpenChange} title={`New ${kind} at ${revision}`} about={about} action={`Create ${kind}`} disabled={!name.trim()} onSubmit={create}>
      <Field label="Name">
        {(id) => <input id={id} className="input" autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
