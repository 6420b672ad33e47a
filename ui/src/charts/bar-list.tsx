// Values beside each other, the largest first, with the line that none should pass: drift by feature, importance by parameter.
import { AppLink } from "../app/navigation";
import { formatNumber } from "../components/format";
import "../components/work.css";

export interface BarItem {
  name: string;
  /** Nothing where there is too little to tell. */
  value: number | null;
  href?: string;
  /** More about it, in words. */
  note?: string;
}

interface BarListProps {
  label: string;
  items: readonly BarItem[];
  /** What the values are: the head of their column. */
  measure: string;
  /** What the names are: the head of theirs. */
  of: string;
  threshold?: number;
  current?: string;
}

/** Largest first; what has no value comes last, by name. */
export const sortBars = (items: readonly BarItem[]): BarItem[] =>
  [...items].sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity) || a.name.localeCompare(b.name));

/** What a full bar stands for: room for the threshold, too. */
export const barMost = (items: readonly BarItem[], threshold = 0): number =>
  Math.max(threshold * 1.25, ...items.map(({ value }) => (value !== null && Number.isFinite(value) ? value : 0))) || 1;

export function BarList({ label, items, measure, of, threshold, current }: BarListProps) {
  const most = barMost(items, threshold);
  const share = (value: number) => `${Math.min(100, Math.max(0, (100 * value) / most))}%`;
  const isOver = (value: number | null) => threshold !== undefined && value !== null && value >= threshold;
  const over = items.filter(({ value }) => isOver(value)).length;
  return (
    <div className="bar-list">
      {threshold === undefined ? null : <p className="secondary">{over} of {items.length} at or above the threshold of {formatNumber(threshold)} (dashed line)</p>}
      <table className="table inset" aria-label={label}>
        <thead>
          <tr>
            <th>{of}</th>
            <th><span className="visually-hidden">Bar</span></th>
            <th className="number">{measure}</th>
            <th><span className="visually-hidden">Note</span></th>
          </tr>
        </thead>
        <tbody>
          {sortBars(items).map(({ name, value, href, note }) => (
            <tr key={name} data-current={name === current}>
              <td className="breakable">{href ? <AppLink href={href} aria-current={name === current ? "true" : undefined}>{name}</AppLink> : name}</td>
              <td>
                <span className="bar-track" aria-hidden="true">
                  {value === null ? null : <span className={isOver(value) ? "bar-fill over" : "bar-fill"} style={{ width: share(value) }} />}
                  {threshold === undefined ? null : <span className="bar-threshold" style={{ left: share(threshold) }} />}
                </span>
              </td>
              <td className="number nowrap">{value === null ? <span className="muted">too little</span> : formatNumber(value)}</td>
              <td className="secondary nowrap">{isOver(value) ? <span className="over-word">above</span> : null} {note}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
