import { Undo2 } from "lucide-react";
import type { Change } from "../../api/native";
import { AppLink } from "../../app/navigation";
import { IconButton } from "../../components/button";
import { formatBytes } from "../../components/format";

const words = { added: "added", changed: "changed", removed: "removed" } as const;

interface ChangeListProps {
  changes: Change[];
  hrefOf: (path: string) => string;
  /** The file that is open beside the list. */
  current?: string;
  /** Whether a link leads to what differs inside a file, which a removed file has, too. */
  isComparing?: boolean;
  /** Inside a section, whose edge is the table's. */
  isInset?: boolean;
  /** Asks whether the change of a file is to be taken back. */
  onDiscard?: (path: string) => void;
}

/** What differs between two states, one line a file. */
export function ChangeList({ changes, hrefOf, current, isComparing, isInset, onDiscard }: ChangeListProps) {
  // A narrow screen has room for one size beside the button.
  const before = onDiscard ? "number roomy" : "number";
  return (
    <table className={isInset ? "table sticky inset" : "table sticky"}>
      <thead>
        <tr>
          <th>Change</th>
          <th>File</th>
          <th className={before}>Before</th>
          <th className="number">After</th>
          {onDiscard ? <th><span className="visually-hidden">Discard</span></th> : null}
        </tr>
      </thead>
      <tbody>
        {changes.map((change) => (
          <tr key={change.path} data-current={change.path === current}>
            <td className={`nowrap change-${change.kind}`}>{words[change.kind]}</td>
            <td className="wide ellipsis">{change.after || isComparing ? <AppLink href={hrefOf(change.path)} title={change.path} aria-current={change.path === current ? "true" : undefined}>{change.path}</AppLink> : change.path}</td>
            <td className={`${before} nowrap secondary`}>{change.before ? formatBytes(change.before.size_bytes) : ""}</td>
            <td className="number nowrap secondary">{change.after ? formatBytes(change.after.size_bytes) : ""}</td>
            {onDiscard ? <td className="actions-cell"><IconButton size="small" label={`Discard the change of ${change.path}`} icon={<Undo2 size={13} />} onClick={() => onDiscard(change.path)} /></td> : null}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
