import type { Change } from "../../api/native";
import { AppLink } from "../../app/navigation";
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
}

/** What differs between two states, one line a file. */
export function ChangeList({ changes, hrefOf, current, isComparing, isInset }: ChangeListProps) {
  return (
    <table className={isInset ? "table sticky inset" : "table sticky"}>
      <thead>
        <tr>
          <th>Change</th>
          <th>File</th>
          <th className="number">Before</th>
          <th className="number">After</th>
        </tr>
      </thead>
      <tbody>
        {changes.map((change) => (
          <tr key={change.path} data-current={change.path === current}>
            <td className={`nowrap change-${change.kind}`}>{words[change.kind]}</td>
            <td className="wide ellipsis">{change.after || isComparing ? <AppLink href={hrefOf(change.path)} title={change.path} aria-current={change.path === current ? "true" : undefined}>{change.path}</AppLink> : change.path}</td>
            <td className="number nowrap secondary">{change.before ? formatBytes(change.before.size_bytes) : ""}</td>
            <td className="number nowrap secondary">{change.after ? formatBytes(change.after.size_bytes) : ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
