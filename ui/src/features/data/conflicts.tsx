import type { Conflict, DataObject, Side } from "../../api/native";
import { Button } from "../../components/button";
import { formatBytes, formatCount } from "../../components/format";

interface ConflictsProps {
  conflicts: Conflict[];
  /** How many there are in all; `conflicts` may be only the first of them. */
  count: number;
  source: string;
  dest: string;
  decisions?: Record<string, Side>;
  onDecide?: (patch: Record<string, Side>) => void;
  rest?: Side;
  onRest?: (side: Side) => void;
}

/** Files that both sides changed, and what of each is kept. */
export function Conflicts({ conflicts, count, source, dest, decisions = {}, onDecide, rest, onRest }: ConflictsProps) {
  const all = (side: Side) => {
    onDecide?.(Object.fromEntries(conflicts.map(({ path }) => [path, side])));
    if (count > conflicts.length) onRest?.(side);
  };
  const nameOf = { source, dest };
  return (
    <div className="conflicts">
      {onDecide ? (
        <div className="row">
          <span className="secondary">Keep for all</span>
          <Button size="small" onClick={() => all("source")}>{source}</Button>
          <Button size="small" onClick={() => all("dest")}>{dest}</Button>
        </div>
      ) : null}
      <div className="conflict-scroll" tabIndex={0} role="region" aria-label="Files changed on both sides">
        <table className="table sticky inset">
          <thead>
            <tr>
              <th>File</th>
              <th>{source}</th>
              <th>{dest}</th>
            </tr>
          </thead>
          <tbody>
            {conflicts.map((conflict) => (
              <tr key={conflict.path}>
                <td className="breakable"><code>{conflict.path}</code></td>
                {(["source", "dest"] as const).map((side) => (
                  <td key={side} className="nowrap">
                    {onDecide ? (
                      <label className="check">
                        <input type="radio" name={conflict.path} aria-label={`${conflict.path}: ${nameOf[side]}, ${sideWords(conflict[side], conflict.base)}`} checked={decisions[conflict.path] === side} onChange={() => onDecide({ [conflict.path]: side })} />
                        {sideWords(conflict[side], conflict.base)}
                      </label>
                    ) : sideWords(conflict[side], conflict.base)}
                  </td>
                ))}
              </tr>
            ))}
            {count > conflicts.length ? (
              <tr>
                <td>{formatCount(count - conflicts.length)} more files</td>
                {(["source", "dest"] as const).map((side) => (
                  <td key={side}>{onRest ? <label className="check"><input type="radio" name="the rest" aria-label={`Keep ${nameOf[side]} for ${formatCount(count - conflicts.length)} more files`} checked={rest === side} onChange={() => onRest(side)} />Keep</label> : null}</td>
                ))}
              </tr>
            ) : null}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function sideWords(side: DataObject | undefined, base: DataObject | undefined): string {
  if (!side) return base ? "removed" : "not there";
  return `${base ? "changed" : "added"}, ${formatBytes(side.size_bytes)}`;
}
