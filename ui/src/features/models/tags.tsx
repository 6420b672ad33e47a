import { Plus, X } from "lucide-react";
import { useState } from "react";
import type { KeyValue } from "../../api/mlflow";
import { Button } from "../../components/button";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { Section } from "../../components/page";
import { notifyError } from "../../components/toast";

interface TagsProps {
  tags: KeyValue[];
  canWrite: boolean;
  onSet: (key: string, value: string) => Promise<unknown>;
  onDelete: (key: string) => Promise<unknown>;
}

export function Tags({ tags, canWrite, onSet, onDelete }: TagsProps) {
  const [isAdding, setAdding] = useState(false);
  // Tags in MLflow's own name are its bookkeeping.
  const shown = tags.filter((tag) => !tag.key.startsWith("mlflow."));
  const add = canWrite ? (
    <Button size="small" icon={<Plus size={13} />} aria-label="Add tag" onClick={() => setAdding(true)}>
      Add
    </Button>
  ) : null;
  return (
    <Section title="Tags" count={shown.length} actions={add}>
      {shown.length ? (
        <ul className="row wrap">
          {shown.map(({ key, value }) => (
            <li key={key} className="chip" title={`${key}: ${value}`}>
              <span className="ellipsis">
                <span className="muted">{key}</span> {value}
              </span>
              {canWrite ? (
                <button type="button" aria-label={`Remove tag ${key}`} onClick={() => onDelete(key).catch(notifyError)}>
                  <X size={12} />
                </button>
              ) : null}
            </li>
          ))}
        </ul>
      ) : (
        <p className="muted">None yet.</p>
      )}
      {isAdding ? <AddTag taken={shown} onOpenChange={setAdding} onSet={onSet} /> : null}
    </Section>
  );
}

function AddTag({ taken, onOpenChange, onSet }: { taken: KeyValue[]; onOpenChange: (open: boolean) => void; onSet: TagsProps["onSet"] }) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const before = taken.find((tag) => tag.key === key.trim());
  return (
    <FormDialog open onOpenChange={onOpenChange} title="Add a tag" action={before ? "Change tag" : "Add tag"} disabled={!key.trim()} onSubmit={() => onSet(key.trim(), value)}>
      <Field label="Key" help={before ? `Its value is ${before.value} now.` : undefined}>
        {(id) => <input id={id} className="input" autoComplete="off" value={key} onChange={(event) => setKey(event.target.value)} />}
      </Field>
      <Field label="Value">
        {(id) => <input id={id} className="input" autoComplete="off" value={value} onChange={(event) => setValue(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
