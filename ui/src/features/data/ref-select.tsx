import { X } from "lucide-react";
import { useState } from "react";
import type { DataRef } from "../../api/native";
import { IconButton } from "../../components/button";
import { shortCommit } from "./view";

const typed = "\0";

interface RefSelectProps {
  label: string;
  refs: { branches: DataRef[]; tags: DataRef[] };
  value: string | undefined;
  onChange: (ref: string) => void;
  /** Whether a commit or something like `main~1` may be typed. */
  canType?: boolean;
}

/** A branch, a tag, or whatever else names a commit. */
export function RefSelect({ label, refs, value, onChange, canType }: RefSelectProps) {
  const [isTyping, setTyping] = useState(false);
  const isNamed = [...refs.branches, ...refs.tags].some(({ name }) => name === value);
  if (isTyping) {
    const apply = (text: string) => {
      if (text.trim()) onChange(text.trim());
      setTyping(false);
    };
    return (
      <span className="row">
        <input
          className="input mono"
          aria-label={label}
          placeholder="commit or main~1"
          autoFocus
          defaultValue={value}
          onKeyDown={(event) => event.key === "Enter" && apply(event.currentTarget.value)}
          onBlur={(event) => apply(event.currentTarget.value)}
        />
        <IconButton size="small" label="Choose from the list" icon={<X size={14} />} onClick={() => setTyping(false)} />
      </span>
    );
  }
  return (
    <select className="select" aria-label={label} value={value ?? ""} onChange={(event) => (event.target.value === typed ? setTyping(true) : onChange(event.target.value))}>
      {value === undefined ? <option value="" disabled>Choose…</option> : null}
      {value === undefined || isNamed ? null : <option value={value}>{/^[0-9a-f]{13,}$/.test(value) ? `Commit ${shortCommit(value)}` : value}</option>}
      <optgroup label="Branches">
        {refs.branches.map((branch) => <option key={branch.name} value={branch.name}>{branch.name}</option>)}
      </optgroup>
      {refs.tags.length ? (
        <optgroup label="Tags">
          {refs.tags.map((tag) => <option key={tag.name} value={tag.name}>{tag.name}</option>)}
        </optgroup>
      ) : null}
      {canType ? <option value={typed}>Another commit…</option> : null}
    </select>
  );
}
