import { Pencil } from "lucide-react";
import { useState } from "react";
import { Button } from "../../components/button";
import { ErrorNote } from "../../components/error-note";
import { Section } from "../../components/page";

interface DescriptionProps {
  text: string;
  canWrite: boolean;
  onSave: (text: string) => Promise<unknown>;
}

export function Description({ text, canWrite, onSave }: DescriptionProps) {
  const [draft, setDraft] = useState<string>();
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);

  const save = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onSave(draft ?? "");
      setDraft(undefined);
    } catch (refusal) {
      setError(refusal);
    } finally {
      setBusy(false);
    }
  };

  const edit = canWrite && draft === undefined ? (
    <Button size="small" icon={<Pencil size={13} />} aria-label="Edit description" onClick={() => setDraft(text)}>
      Edit
    </Button>
  ) : null;

  return (
    <Section title="Description" actions={edit}>
      {draft === undefined ? (
        <p className={text ? "prose" : "muted"}>{text || "None yet."}</p>
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            void save();
          }}
        >
          <textarea className="textarea" aria-label="Description" rows={4} autoFocus value={draft} onChange={(event) => setDraft(event.target.value)} />
          {error ? <ErrorNote error={error} /> : null}
          <div className="row">
            <Button type="submit" variant="primary" size="small" disabled={isBusy}>Save</Button>
            <Button size="small" onClick={() => { setDraft(undefined); setError(undefined); }}>Cancel</Button>
          </div>
        </form>
      )}
    </Section>
  );
}
