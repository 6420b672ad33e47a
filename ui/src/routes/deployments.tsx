import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { Deployment } from "../api/native";
import { AppLink, useGo, useProject, useView } from "../app/navigation";
import { commandLineSetup, paths, trackingUri } from "../app/paths";
import { useCanManage } from "../app/session";
import { useDraft } from "../app/use-draft";
import { useListKeys } from "../app/use-list-keys";
import { Button } from "../components/button";
import { Snippet } from "../components/copy";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { SearchField } from "../components/fields";
import { formatCount } from "../components/format";
import { PageHead } from "../components/page";
import { Ago } from "../components/time";
import { CreateDeployment } from "../features/deployments/dialogs";
import { OpenAlerts } from "../features/deployments/open-alerts";
import { alertsOf, deploymentsQuery, openAlertsQuery, useDeploymentChanges } from "../features/deployments/queries";
import { formatMs, formatRate, formatShare, recentTraffic, roleWords, versionOf } from "../features/deployments/roles";
import { SplitBar } from "../features/deployments/split-bar";
import { ServingState } from "../features/deployments/state";
import { VersionLink } from "../features/deployments/versions-table";
import { deploymentsView } from "../features/deployments/view";
import "../features/deployments/deployments.css";

export default function DeploymentsPage() {
  const project = useProject();
  const go = useGo();
  const canManage = useCanManage();
  const [view, setView] = useView(deploymentsView);
  const [search, setSearch] = useDraft(view.search, (text) => setView({ search: text }, { replace: true }));
  const [isMaking, setMaking] = useState(false);
  const all = useQuery(deploymentsQuery(project));
  const alerts = useQuery(openAlertsQuery(project));
  const reload = useDeploymentChanges(project);
  const wanted = view.search.trim().toLowerCase();
  const deployments = all.data?.filter(({ name, versions }) => [name, ...versions.map(({ model }) => model)].some((word) => word.toLowerCase().includes(wanted))) ?? [];
  const current = useListKeys({ count: deployments.length, onOpen: (index) => go(paths.deployment(project, deployments[index]!.name)) });

  return (
    <>
      <PageHead title="Deployments">
        {canManage ? <Button variant="primary" icon={<Plus size={14} />} onClick={() => setMaking(true)}>New deployment</Button> : null}
      </PageHead>
      <div className="toolbar">
        <SearchField label="Search deployments" data-search="" style={{ width: 280 }} value={search} onChange={setSearch} />
        {all.data?.length ? <span className="muted push">Rates, errors and latencies of the last five minutes</span> : null}
      </div>
      <div className="page-body flush">
        {all.error ? <div style={{ padding: 20 }}><ErrorNote error={all.error} /></div> : null}
        {all.isPending ? <SkeletonRows /> : null}
        {all.data && !deployments.length ? <NoDeployments isSearch={wanted !== ""} /> : null}
        {deployments.length ? (
          <table className="table sticky" aria-label="Deployments">
            <thead>
              <tr>
                <th>Name</th>
                <th>State</th>
                <th>Version</th>
                <th>Traffic</th>
                <th className="number">Requests/s</th>
                <th className="number">Errors</th>
                <th className="number">p50</th>
                <th className="number">p95</th>
                <th>Open alerts</th>
                <th className="number">Changed</th>
              </tr>
            </thead>
            <tbody>
              {deployments.map((deployment, index) => <DeploymentRow key={deployment.name} deployment={deployment} openAlerts={alertsOf(alerts.data, deployment.name)} isCurrent={index === current} />)}
            </tbody>
          </table>
        ) : null}
      </div>
      {isMaking ? <CreateDeployment onOpenChange={() => setMaking(false)} onDone={reload} /> : null}
    </>
  );
}

function DeploymentRow({ deployment, openAlerts, isCurrent }: { deployment: Deployment; openAlerts: number; isCurrent: boolean }) {
  const project = useProject();
  const primary = versionOf(deployment, "primary");
  const recent = recentTraffic(deployment);
  const share = recent?.requests ? recent.errors / recent.requests : undefined;
  const others = deployment.versions.filter(({ role }) => role === "canary" || role === "shadow");
  return (
    <tr data-current={isCurrent}>
      <td className="nowrap"><AppLink href={paths.deployment(project, deployment.name)}>{deployment.name}</AppLink></td>
      <td><ServingState state={deployment.state} /></td>
      <td>{primary ? <VersionLink model={primary.model} version={primary.version} alias={primary.alias} /> : <span className="muted">none</span>}</td>
      <td style={{ minWidth: 180 }}>
        <SplitBar deployment={deployment} isSmall />
        {others.length ? <span className="muted small-words">{others.map((version) => `${roleWords[version.role].toLowerCase()} v${version.version}${version.role === "canary" ? ` ${version.weight} %` : ""}`).join(", ")}</span> : null}
      </td>
      <td className="number">{recent ? formatRate(recent.perSecond) : "–"}</td>
      <td className={share ? "number bad-word" : "number"} title={recent ? `${formatCount(recent.errors)} of ${formatCount(recent.requests)}` : undefined}>{formatShare(share)}</td>
      <td className="number nowrap">{formatMs(primary?.statistics?.recent.p50_ms)}</td>
      <td className="number nowrap">{formatMs(primary?.statistics?.recent.p95_ms)}</td>
      <td>{openAlerts ? <OpenAlerts name={deployment.name} count={openAlerts} /> : <span className="muted">none</span>}</td>
      <td className="number secondary"><Ago atMs={deployment.updated_at_ms} /></td>
    </tr>
  );
}

function NoDeployments({ isSearch }: { isSearch: boolean }) {
  const project = useProject();
  if (isSearch) return <Empty title="No deployment has this in its name or its models"><p>Search for less, or clear the search.</p></Empty>;
  return (
    <Empty title="No deployments yet">
      <p>A deployment is a name under which a version of a model answers requests. It follows an alias when it is made with one.</p>
      <Snippet label="Copy shell lines" code={`${commandLineSetup(project)}\nlathe deploy create scorer --model models:/my-model@champion\ncurl ${trackingUri(project)}/serving/scorer/invocations -H 'content-type: application/json' \\\n  -d '{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}}'`} />
    </Empty>
  );
}
