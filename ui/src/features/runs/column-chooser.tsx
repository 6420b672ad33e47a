import { useQuery } from "@tanstack/react-query";
import { Columns3 } from "lucide-react";
import { useState } from "react";
import { useProject } from "../../app/navigation";
import { useDraft } from "../../app/use-draft";
import { Button } from "../../components/button";
import { ErrorNote } from "../../components/error-note";
import { SearchField } from "../../components/fields";
import { Popover } from "../../components/popover";
import { kindTitles, maxColumns, type ColumnKind } from "./columns";
import { columnsQuery } from "./queries";

const allKinds: readonly ColumnKind[] = ["metrics", "params", "tags"];

interface ColumnChooserProps {
  experimentIds: string[];
  chosen: string[];
  isDefault: boolean;
  kinds?: readonly ColumnKind[];
  onChange: (columns: string[] | undefined) => void;
}

export function ColumnChooser(props: ColumnChooserProps) {
  return (
    <Popover
      label="Choose columns"
      align="end"
      width={340}
      trigger={
        <Button icon={<Columns3 size={14} />}>
          Columns <span className="muted">{props.chosen.length}</span>
        </Button>
      }
    >
      <Chooser {...props} />
    </Popover>
  );
}

function Chooser({ experimentIds, chosen, isDefault, kinds = allKinds, onChange }: ColumnChooserProps) {
  const project = useProject();
  const [search, setSearch] = useState("");
  const [draft, setDraft] = useDraft(search, setSearch);
  const available = useQuery(columnsQuery(project, experimentIds, search));
  const toggle = (id: string) => onChange(chosen.includes(id) ? chosen.filter((other) => other !== id) : [...chosen, id]);
  const isFull = chosen.length >= maxColumns;
  return (
    <div className="column-chooser">
      <SearchField label="Search columns" value={draft} onChange={setDraft} autoFocus />
      {available.error ? <ErrorNote error={available.error} /> : null}
      <div className="column-list">
        {kinds.map((kind) => {
          const keys = available.data?.[kind] ?? [];
          // What is chosen stays in sight, also when it is not among the most used.
          const more = chosen.filter((id) => id.startsWith(`${kind}.`) && !keys.includes(id.slice(kind.length + 1)) && id.includes(search));
          const ids = [...more, ...keys.map((key) => `${kind}.${key}`)];
          return ids.length ? (
            <fieldset key={kind}>
              <legend>{kindTitles[kind]}</legend>
              {ids.map((id) => (
                <label key={id} className="check">
                  <input type="checkbox" checked={chosen.includes(id)} disabled={isFull && !chosen.includes(id)} onChange={() => toggle(id)} />
                  <span className="ellipsis" title={id}>{id.slice(kind.length + 1)}</span>
                </label>
              ))}
            </fieldset>
          ) : null;
        })}
        {available.data && !kinds.some((kind) => available.data[kind].length) ? (
          <p className="muted">No run has such a column.</p>
        ) : null}
      </div>
      <div className="row between">
        <span className="muted">
          {available.data?.truncated ? "The most used are listed; search finds the rest. " : ""}
          {isFull ? `${maxColumns} columns is the most that is shown.` : ""}
        </span>
        <Button size="small" disabled={isDefault} onClick={() => onChange(undefined)}>
          Default
        </Button>
      </div>
    </div>
  );
}
