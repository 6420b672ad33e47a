import type { Lineage } from "../../api/native";
import { kindWord, parseName } from "../../components/names";
import { countKinds } from "./hide-kinds";
import { KindIcon } from "./kind-icon";

interface KindFilterProps {
  graph: Lineage;
  hidden: readonly string[];
  onChange: (hidden: string[]) => void;
}

/** Which kinds of things the graph shows. */
export function KindFilter({ graph, hidden, onChange }: KindFilterProps) {
  return (
    <div className="row wrap kind-filter" role="group" aria-label="Kinds that are shown">
      {countKinds(graph).map(({ kind, example, count }) => (
        <label key={kind} className="check">
          <input
            type="checkbox"
            checked={!hidden.includes(kind)}
            onChange={({ target }) => onChange(target.checked ? hidden.filter((each) => each !== kind) : [...hidden, kind])}
          />
          <KindIcon kind={kind} />
          {kindWord(kind, parseName(example).id)}{" "}
          <span className="muted">{count}</span>
        </label>
      ))}
    </div>
  );
}
