import { Plus, X } from "lucide-react";
import { useRef, useState } from "react";
import type { KeyValue } from "../api/mlflow";
import { byName } from "./by-name";
import { Button, IconButton } from "./button";
import { ErrorNote } from "./error-note";
import { Section } from "./page";
import { notifyError } from "./toast";

const isOwn = ({ key }: KeyValue) => !key.startsWith("mlflow.") && !key.startsWith("lathe.");
const shownChars = 600;

interface TagsProps {
  tags: KeyValue[];
  canWrite: boolean;
  onSet: (key: string, value: string) => Promise<unknown>;
  onDelete: (key: string) => Promise<unknown>;
}

/** Tags that people gave, and below them those that clients and pipelines set. */
export function TagSection({ tags, canWrite, onSet, onDelete }: TagsProps) {
  const sorted = [...tags].sort((a, b) => byName(a.key, b.key));
  const own = sorted.filter(isOwn);
  const system = sorted.filter((tag) => !isOwn(tag));
  return (
    <Section title="Tags" count={own.length}>
      <div className="tag-list">
        {own.map(({ key, value }) => (
          <span key={key} className="chip" title={`${key}: ${value}`}>
            <span className="tag-text"><span className="muted">{key}</span> {value}</span>
            {canWrite ? (
              <button type="button" aria-label={`Remove tag ${key}`} onClick={() => onDelete(key).catch(notifyError)}>
                <X size={12} />
              </button>
            ) : null}
          </span>
        ))}
        {own.length || canWrite ? null : <span className="muted">None.</span>}
      </div>
      {canWrite ? <AddTag onSet={onSet} /> : null}
      {system.length ? (
        <details className="system-tags">
          <summary>{system.length} set by clients and pipelines</summary>
          <dl className="facts tag-facts">
            {system.map(({ key, value }) => (
              <div key={key}>
                <dt className="mono">{key}</dt>
                <dd>{value.length > shownChars ? `${value.slice(0, shownChars)}…` : value}</dd>
              </div>
            ))}
          </dl>
        </details>
      ) : null}
    </Section>
  );
}

function AddTag({ onSet }: Pick<TagsProps, "onSet">) {
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [error, setError] = useState<unknown>();
  const first = useRef<HTMLInputElement>(null);
  const add = async () => {
    setError(undefined);
    try {
      await onSet(key.trim(), value);
      setKey("");
      setValue("");
      first.current?.focus();
    } catch (refusal) {
      setError(refusal);
    }
  };
  return (
    <form
      className="add-tag"
      aria-label="Add tag"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      <div className="row">
        <input ref={first} className="input" aria-label="Tag name" placeholder="name" value={key} onChange={(event) => setKey(event.target.value)} />
        <input className="input" aria-label="Tag value" placeholder="value" value={value} onChange={(event) => setValue(event.target.value)} />
        {key.trim() ? <Button type="submit" icon={<Plus size={14} />}>Add</Button> : <IconButton label="Add tag" icon={<Plus size={14} />} disabled type="submit" />}
      </div>
      {error ? <ErrorNote error={error} /> : null}
    </form>
  );
}
