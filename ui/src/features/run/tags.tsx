import { Plus, X } from "lucide-react";
import { useRef, useState } from "react";
import { mlflow, type Run } from "../../api/mlflow";
import { useProject } from "../../app/navigation";
import { byName } from "../../components/by-name";
import { Button, IconButton } from "../../components/button";
import { ErrorNote } from "../../components/error-note";
import { Section } from "../../components/page";
import { notifyError } from "../../components/toast";

const isOwn = (key: string) => !key.startsWith("mlflow.");

/** Tags that people gave, and below them those that clients set. */
export function Tags({ run, canWrite, onChanged }: { run: Run; canWrite: boolean; onChanged: () => void }) {
  const project = useProject();
  const own = run.tags.filter((tag) => isOwn(tag.key)).sort((a, b) => byName(a.key, b.key));
  const system = run.tags.filter((tag) => !isOwn(tag.key)).sort((a, b) => byName(a.key, b.key));
  const remove = async (key: string) => {
    try {
      await mlflow.deleteTag(project, run.info.run_id, key);
      onChanged();
    } catch (error) {
      notifyError(error);
    }
  };
  return (
    <Section title="Tags" count={own.length}>
      <div className="tag-list">
        {own.map(({ key, value }) => (
          <span key={key} className="chip" title={`${key}: ${value}`}>
            <span className="tag-text"><span className="muted">{key}</span> {value}</span>
            {canWrite ? (
              <button type="button" aria-label={`Remove tag ${key}`} onClick={() => void remove(key)}>
                <X size={12} />
              </button>
            ) : null}
          </span>
        ))}
        {own.length || canWrite ? null : <span className="muted">None.</span>}
      </div>
      {canWrite ? <AddTag runId={run.info.run_id} onChanged={onChanged} /> : null}
      {system.length ? (
        <details className="system-tags">
          <summary>{system.length} set by the client</summary>
          <dl className="facts tag-facts">
            {system.map(({ key, value }) => (
              <div key={key}>
                <dt className="mono">{key}</dt>
                <dd>{value.length > 600 ? `${value.slice(0, 600)}…` : value}</dd>
              </div>
            ))}
          </dl>
        </details>
      ) : null}
    </Section>
  );
}

function AddTag({ runId, onChanged }: { runId: string; onChanged: () => void }) {
  const project = useProject();
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [error, setError] = useState<unknown>();
  const first = useRef<HTMLInputElement>(null);
  const add = async () => {
    setError(undefined);
    try {
      await mlflow.setTag(project, runId, key.trim(), value);
      setKey("");
      setValue("");
      first.current?.focus();
      onChanged();
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
