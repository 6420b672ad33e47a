import { Search } from "lucide-react";
import { useId, type InputHTMLAttributes, type ReactNode, type Ref } from "react";
import { useDraft } from "../app/use-draft";
import { formatMoment } from "./format";

export function Field({ label, help, children }: { label: string; help?: ReactNode; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
      {help ? <span className="help">{help}</span> : null}
    </div>
  );
}

interface SearchFieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange" | "value"> {
  label: string;
  value: string;
  onChange: (value: string) => void;
  ref?: Ref<HTMLInputElement>;
}

export function SearchField({ label, value, onChange, className = "", style, ...rest }: SearchFieldProps) {
  return (
    <div className={`search-field ${className}`} style={style}>
      <Search size={14} aria-hidden="true" />
      <input
        type="search"
        className="input"
        aria-label={label}
        placeholder={rest.placeholder ?? label}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        {...rest}
      />
    </div>
  );
}

interface SegmentedProps<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}

export function Segmented<T extends string>({ label, value, options, onChange }: SegmentedProps<T>) {
  const name = useId();
  return (
    <div className="segmented" role="radiogroup" aria-label={label}>
      {options.map((option) => (
        <label key={option.value}>
          <input type="radio" name={name} checked={option.value === value} onChange={() => onChange(option.value)} />
          {option.label}
        </label>
      ))}
    </div>
  );
}

/** While a year is typed, each digit is an early year of its own: it is applied after a longer pause, or when the field is left. */
const momentPauseMs = 800;

/** A date and a time of day, in the reader's zone. */
export function MomentField({ value, onChange }: { value: number | undefined; onChange: (ms: number | undefined) => void }) {
  const apply = (text: string) => {
    const at = new Date(text).getTime();
    onChange(Number.isNaN(at) ? undefined : at);
  };
  const [local, setLocal, applyNow] = useDraft(value === undefined ? "" : formatMoment(value), apply, momentPauseMs);
  return <input type="datetime-local" className="input" value={local} onChange={(event) => setLocal(event.target.value)} onBlur={applyNow} />;
}
