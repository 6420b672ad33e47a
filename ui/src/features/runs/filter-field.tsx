import { CircleHelp, Filter, X } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "../../components/button";
import { ErrorNote } from "../../components/error-note";
import { Popover } from "../../components/popover";

const examples = [
  ["metrics.accuracy > 0.9", "a metric's latest value"],
  ["params.solver = 'adam' AND metrics.loss < 0.2", "both must hold"],
  ["tags.team IN ('vision', 'risk')", "one of several"],
  ["attributes.run_name ILIKE '%heron%'", "any case, % is any text"],
  ["attributes.status = 'FAILED'", "also start_time, end_time, user_id"],
  ["metrics.`val/f1 score` >= 0.8", "backticks around unusual keys"],
] as const;

interface FilterFieldProps {
  value: string;
  onApply: (filter: string) => void;
  error?: unknown;
}

/** MLflow's filter language, applied with Enter; what the server says of a bad filter stands right below. */
export function FilterField({ value, onApply, error }: FilterFieldProps) {
  const [draft, setDraft] = useState(value);
  const [isHelpOpen, setHelpOpen] = useState(false);
  useEffect(() => setDraft(value), [value]);
  const apply = (filter: string) => {
    setDraft(filter);
    setHelpOpen(false);
    onApply(filter.trim());
  };
  const isBad = error !== undefined && error !== null;
  return (
    <div className="filter-field">
      <form
        className="search-field"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          apply(draft);
        }}
      >
        <Filter size={14} aria-hidden="true" />
        <input
          className="input mono"
          data-search=""
          aria-label="Filter runs"
          aria-invalid={isBad}
          aria-describedby={isBad ? "filter-error" : undefined}
          placeholder="metrics.accuracy > 0.9 AND params.solver = 'adam'"
          spellCheck={false}
          autoComplete="off"
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") event.currentTarget.blur();
          }}
        />
        <span className="filter-buttons">
          {draft !== value.trim() ? <span className="muted">Enter applies</span> : null}
          {draft ? <IconButton size="small" label="Clear filter" icon={<X size={14} />} onClick={() => apply("")} /> : null}
          <Popover
            label="Filter language"
            align="end"
            width={440}
            open={isHelpOpen}
            onOpenChange={setHelpOpen}
            trigger={<IconButton size="small" label="How to filter" icon={<CircleHelp size={14} />} />}
          >
            <div className="stack">
              <p className="secondary">Clauses joined by AND, in the language of MLflow's search. Choose one to start from it.</p>
              <ul className="filter-examples">
                {examples.map(([filter, about]) => (
                  <li key={filter}>
                    <button
                      type="button"
                      onClick={() => {
                        setDraft(filter);
                        setHelpOpen(false);
                      }}
                    >
                      <code>{filter}</code>
                      <span className="muted">{about}</span>
                    </button>
                  </li>
                ))}
              </ul>
            </div>
          </Popover>
        </span>
      </form>
      {isBad ? <div id="filter-error"><ErrorNote error={error} title="The server refused this filter" /></div> : null}
    </div>
  );
}
