import type { ReactNode } from "react";
import type { Deployment } from "../../api/native";

interface WindowsBarProps {
  deployment: Deployment;
  windows: number;
  version: string | undefined;
  onChange: (patch: { windows?: number; version?: string | undefined }) => void;
  children?: ReactNode;
}

const counts = [12, 24, 48, 100, 200];

/** How far back is looked, and at which version. */
export function WindowsBar({ deployment, windows, version, onChange, children }: WindowsBarProps) {
  const versions = [...new Set([...deployment.versions.map((each) => String(each.version)), ...(version ? [version] : [])])];
  return (
    <div className="row wrap windows-bar">
      <label className="row">
        Latest
        <select className="select" aria-label="Latest windows" value={windows} onChange={(event) => onChange({ windows: Number(event.target.value) })}>
          {[...new Set([...counts, windows])].sort((a, b) => a - b).map((count) => <option key={count} value={count}>{count} windows</option>)}
        </select>
      </label>
      <label className="row">
        Version
        <select className="select" aria-label="Version" value={version ?? ""} onChange={(event) => onChange({ version: event.target.value || undefined })}>
          <option value="">all</option>
          {versions.map((each) => <option key={each} value={each}>v{each}</option>)}
        </select>
      </label>
      {children}
    </div>
  );
}
