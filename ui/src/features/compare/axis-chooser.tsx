import { SlidersHorizontal } from "lucide-react";
import { useState } from "react";
import { matcher } from "../../charts/metric-groups";
import { Button } from "../../components/button";
import { SearchField } from "../../components/fields";
import { Popover } from "../../components/popover";
import { rowTitles, type Row } from "./rows";

const listedAtMost = 200;

interface AxisChooserProps {
  rows: Row[];
  chosen: string[];
  atMost: number;
  isDefault: boolean;
  onChange: (axes: string[] | undefined) => void;
}

export function AxisChooser(props: AxisChooserProps) {
  return (
    <Popover label="Choose axes" width={320} trigger={<Button icon={<SlidersHorizontal size={14} />}>Axes <span className="muted">{props.chosen.length}</span></Button>}>
      <Chooser {...props} />
    </Popover>
  );
}

function Chooser({ rows, chosen, atMost, isDefault, onChange }: AxisChooserProps) {
  const [search, setSearch] = useState("");
  const matches = matcher(search);
  const toggle = (id: string) => onChange(chosen.includes(id) ? chosen.filter((other) => other !== id) : [...chosen, id]);
  return (
    <div className="axis-chooser">
      <SearchField label="Search axes" value={search} onChange={setSearch} autoFocus />
      <div className="axis-list">
        {(["params", "metrics"] as const).map((kind) => {
          const found = rows.filter((row) => row.kind === kind && matches(row.key));
          return found.length ? (
            <fieldset key={kind}>
              <legend>{rowTitles[kind]}</legend>
              {found.slice(0, listedAtMost).map((row) => (
                <label key={row.id} className="check">
                  <input type="checkbox" checked={chosen.includes(row.id)} disabled={chosen.length >= atMost && !chosen.includes(row.id)} onChange={() => toggle(row.id)} />
                  <span className="ellipsis" title={row.key}>{row.key}</span>
                  {row.differs ? null : <span className="muted push">equal</span>}
                </label>
              ))}
              {found.length > listedAtMost ? <p className="muted">{found.length - listedAtMost} more: search to find them.</p> : null}
            </fieldset>
          ) : null;
        })}
      </div>
      <div className="row between">
        <span className="muted">{chosen.length >= atMost ? `${atMost} axes is the most that can be read.` : ""}</span>
        <Button size="small" disabled={isDefault} onClick={() => onChange(undefined)}>Default</Button>
      </div>
    </div>
  );
}
