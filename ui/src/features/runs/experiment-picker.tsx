import { useQuery } from "@tanstack/react-query";
import { Beaker, ChevronDown } from "lucide-react";
import { useState } from "react";
import { useProject } from "../../app/navigation";
import { Button } from "../../components/button";
import { SearchField } from "../../components/fields";
import { Popover } from "../../components/popover";
import { allExperimentsQuery } from "../experiments/queries";

interface ExperimentPickerProps {
  chosen: string[];
  onChange: (experimentIds: string[]) => void;
}

const shownAtMost = 200;

/** One, several, or all experiments: nothing chosen means all. */
export function ExperimentPicker({ chosen, onChange }: ExperimentPickerProps) {
  const project = useProject();
  const experiments = useQuery(allExperimentsQuery(project));
  const [search, setSearch] = useState("");
  const all = experiments.data ?? [];
  const nameOf = (id: string) => all.find((experiment) => experiment.experiment_id === id)?.name ?? `experiment ${id}`;
  const label = chosen.length === 0 ? "All experiments" : chosen.length === 1 ? nameOf(chosen[0]!) : `${chosen.length} experiments`;
  const found = all.filter((experiment) => experiment.name.toLowerCase().includes(search.toLowerCase()));
  const toggle = (id: string) => onChange(chosen.includes(id) ? chosen.filter((other) => other !== id) : [...chosen, id]);
  return (
    <Popover
      label="Choose experiments"
      width={320}
      trigger={
        <Button icon={<Beaker size={14} />} aria-label={`Experiments: ${label}`}>
          <span className="ellipsis" style={{ maxWidth: 220 }}>{label}</span>
          <ChevronDown size={13} />
        </Button>
      }
    >
      <div className="column-chooser">
        <SearchField label="Search experiments" value={search} onChange={setSearch} autoFocus />
        <div className="column-list">
          {found.slice(0, shownAtMost).map((experiment) => (
            <label key={experiment.experiment_id} className="check">
              <input type="checkbox" checked={chosen.includes(experiment.experiment_id)} onChange={() => toggle(experiment.experiment_id)} />
              <span className="ellipsis">{experiment.name}</span>
            </label>
          ))}
          {found.length > shownAtMost ? <p className="muted">{found.length - shownAtMost} more: search to find them.</p> : null}
        </div>
        <div className="row between">
          <span className="muted">Nothing chosen means all.</span>
          <Button size="small" disabled={!chosen.length} onClick={() => onChange([])}>
            All
          </Button>
        </div>
      </div>
    </Popover>
  );
}
