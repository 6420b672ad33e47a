import type { Deployment } from "../../api/native";
import { roleWords, shareOf } from "./roles";

/** Who answers which part of the requests. The words say it too; the bar is for the eye. */
export function SplitBar({ deployment, isSmall }: { deployment: Deployment; isSmall?: boolean }) {
  const parts = deployment.versions
    .filter(({ role }) => role === "primary" || role === "canary")
    .map((version) => ({ version, share: shareOf(deployment, version), label: `${version.model} v${version.version}` }));
  const words = parts.map(({ version, share, label }) => `${roleWords[version.role].toLowerCase()} ${label} ${share} %`).join(", ");
  return (
    <div className={isSmall ? "split small" : "split"} role="img" aria-label={`Traffic: ${words}`}>
      {parts.map(({ version, share, label }) =>
        share ? (
          <span key={version.role} className={`split-part ${version.role}`} style={{ flexGrow: share }}>
            {isSmall ? null : <span className="ellipsis">{label} · {share} %</span>}
          </span>
        ) : null,
      )}
    </div>
  );
}
