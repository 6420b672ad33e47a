import { CircleAlert } from "lucide-react";
import type { Deployment } from "../../api/native";
import { VersionLink } from "./versions-table";
import { roleWords } from "./roles";

/** Why versions do not start, in the words of their workers. */
export function Failures({ deployment }: { deployment: Deployment }) {
  const failed = deployment.versions.filter((version) => version.error !== undefined || version.state === "failed");
  if (!failed.length) return null;
  return (
    <div className="stack section">
      {failed.map((version) => (
        <div key={version.role} className="note error" role="alert">
          <CircleAlert size={16} aria-hidden="true" />
          <div className="stack" style={{ gap: 6, minWidth: 0, flex: 1 }}>
            <span className="row wrap"><strong>{roleWords[version.role]} does not start:</strong> <VersionLink model={version.model} version={version.version} alias={version.alias} /></span>
            <pre className="worker-log" tabIndex={0} aria-label={`Error of the ${version.role}`}>{version.error ?? "its workers ended without a word"}</pre>
            <span className="note-hint">What the model needs stands in requirements.txt among the version's files. Deploy a version that starts, or roll back.</span>
          </div>
        </div>
      ))}
    </div>
  );
}
