import { useState } from "react";
import { formatCount } from "../../components/format";

const childrenAtOnce = 100;
const openDepth = 2;

/** A JSON value whose lists and objects fold. */
export function JsonTree({ value, name, depth = 0 }: { value: unknown; name?: string; depth?: number }) {
  const [isOpen, setOpen] = useState(depth < openDepth);
  const [shown, setShown] = useState(childrenAtOnce);
  const label = name === undefined ? null : <span className="json-key">{name}: </span>;
  if (value === null || typeof value !== "object") {
    return (
      <div className="json-leaf">
        {label}
        <span className={`json-${value === null ? "null" : typeof value}`}>{JSON.stringify(value)}</span>
      </div>
    );
  }
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  if (!entries.length) return <div className="json-leaf">{label}{isList ? "[]" : "{}"}</div>;
  return (
    <details className="json" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {label}
        <span className="muted">{isList ? `[${formatCount(entries.length)}]` : `{${formatCount(entries.length)}}`}</span>
      </summary>
      {isOpen ? (
        <div className="json-children">
          {entries.slice(0, shown).map(([key, child]) => <JsonTree key={key} name={key} value={child} depth={depth + 1} />)}
          {entries.length > shown ? (
            <button type="button" className="link-button" onClick={() => setShown(shown + childrenAtOnce * 10)}>
              {formatCount(entries.length - shown)} more
            </button>
          ) : null}
        </div>
      ) : null}
    </details>
  );
}
