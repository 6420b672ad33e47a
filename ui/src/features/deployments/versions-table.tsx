import type { DeployedVersion, Deployment } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { formatCount } from "../../components/format";
import { errorShare, formatMs, formatRate, formatShare, ratePerSecond, roleWords, shareOf } from "./roles";
import { ServingState } from "./state";

export function VersionLink({ model, version, alias }: { model: string; version: number; alias?: string }) {
  const project = useProject();
  return (
    <span className="row">
      <AppLink className="nowrap" href={paths.version(project, model, String(version))}>{model} v{version}</AppLink>
      {alias ? <span className="chip alias" title={`Follows the alias ${alias}`}>@{alias}</span> : null}
    </span>
  );
}

/** Everything that the deployment runs, and what the last minutes of each were like. */
export function VersionsTable({ deployment }: { deployment: Deployment }) {
  return (
    <div className="scroll-x" tabIndex={0} role="region" aria-label="Versions that it runs">
      <table className="table inset tight" aria-label="Versions">
        <thead>
          <tr>
            <th>Role</th>
            <th>Version</th>
            <th>State</th>
            <th className="number">Traffic</th>
            <th className="number">Requests/s</th>
            <th className="number">Errors</th>
            <th className="number">p50</th>
            <th className="number">p95</th>
            <th className="number">p99</th>
            <th className="number">All requests</th>
          </tr>
        </thead>
        <tbody>
          {deployment.versions.map((version) => <VersionRow key={version.role} deployment={deployment} version={version} />)}
        </tbody>
      </table>
    </div>
  );
}

function VersionRow({ deployment, version }: { deployment: Deployment; version: DeployedVersion }) {
  const { statistics, role } = version;
  const recent = statistics?.recent;
  const share = errorShare(recent ?? { requests: 0, errors: 0 });
  return (
    <tr>
      <td><span className="row"><span className={`role-key ${role}`} aria-hidden="true" />{roleWords[role]}</span></td>
      <td><VersionLink model={version.model} version={version.version} alias={version.alias} /></td>
      <td><ServingState state={version.state} /></td>
      <td className="number nowrap">{role === "shadow" ? "copy of all" : role === "previous" ? "–" : `${shareOf(deployment, version)} %`}</td>
      <td className="number">{recent ? formatRate(ratePerSecond(recent)) : "–"}</td>
      <td className={share ? "number bad-word" : "number"}>{formatShare(share)}</td>
      <td className="number nowrap">{formatMs(recent?.p50_ms)}</td>
      <td className="number nowrap">{formatMs(recent?.p95_ms)}</td>
      <td className="number nowrap">{formatMs(recent?.p99_ms)}</td>
      <td className="number">{statistics ? formatCount(statistics.total.requests) : "–"}</td>
    </tr>
  );
}
