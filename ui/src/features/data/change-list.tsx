import type { Change } from "../../api/native";
import { AppLink } from "../../app/navigation";
import { formatBytes } from "../../components/format";

const words = { added: "added", changed: "changed", removed: "removed" } as const;

/** What differs between two states, one line a file. */
export function ChangeList({ changes, hrefOf }: { changes: Change[]; hrefOf: (path: string) => string }) {
  return (
    <table className="table sticky">
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
          <tr key={change.path}>
            <td className={`nowrap change-${change.kind}`}>{words[change.kind]}</td>
            <td className="wide ellipsis">{change.after ? <AppLink href={hrefOf(change.path)}>{change.path}</AppLink> : change.path}</td>
            <td className="number nowrap secondary">{change.before ? formatBytes(change.before.size_bytes) : ""}</td>
            <td className="number nowrap secondary">{change.after ? formatBytes(change.after.size_bytes) : ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
