import { X } from "lucide-react";
import { useId, useState, type FormEvent } from "react";
import { Button, IconButton } from "../../components/button";
import { formatCount } from "../../components/format";
import type { Refs } from "./queries";
import { shortCommit } from "./view";

const typed = "\0";

interface RefSelectProps {
  label: string;
  refs: Refs;
  value: string | undefined;
  onChange: (ref: string) => void;
  /** Whether a commit or something like `main~1` may be typed. */
  canType?: boolean;
}

/** A branch, a tag, or whatever else names a commit. */
export function RefSelect({ label, refs, value, onChange, canType }: RefSelectProps) {
  const [mode, setMode] = useState<"list" | "typing" | "back">("list");
  const all = [...refs.branches, ...refs.tags];
  if (mode === "typing") {
    const leave = () => setMode("back");
    const apply = (text: string) => {
      leave();
      if (text && text !== value) onChange(text);
    };
    return <TypedRef label={label} names={all.map(({ name }) => name)} value={value} onApply={apply} onLeave={leave} />;
  }
  const isNamed = all.some(({ name }) => name === value);
  return (
    <select className="select" aria-label={label} autoFocus={mode === "back"} value={value ?? ""} onChange={(event) => (event.target.value === typed ? setMode("typing") : onChange(event.target.value))}>
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
      {refs.isCut ? <option disabled>{`The first ${formatCount(all.length)}; type any other`}</option> : null}
      {canType ? <option value={typed}>Type a name or a commit…</option> : null}
    </select>
  );
}

interface TypedRefProps {
  label: string;
  names: string[];
  value: string | undefined;
  onApply: (text: string) => void;
  onLeave: () => void;
}

/** A field that proposes names as one types; Enter applies, Escape leaves all as it was. */
function TypedRef({ label, names, value, onApply, onLeave }: TypedRefProps) {
  const proposals = useId();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onApply(String(new FormData(event.currentTarget).get("ref")).trim());
  };
  return (
    <form className="row" onSubmit={submit} onKeyDown={(event) => event.key === "Escape" && onLeave()}>
      <input className="input mono" name="ref" aria-label={label} placeholder="name, commit or main~1" autoComplete="off" autoFocus list={proposals} defaultValue={value} />
      <datalist id={proposals}>{names.map((name) => <option key={name} value={name} />)}</datalist>
      <Button type="submit">Show</Button>
      <IconButton label="Choose from the list" icon={<X size={14} />} onClick={onLeave} />
    </form>
  );
}
