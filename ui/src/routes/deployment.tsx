import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ArrowUpRight, Ellipsis, Percent, Trash2, Undo2 } from "lucide-react";
import { useState } from "react";
import { isAbsent } from "../api/http";
import type { Deployment } from "../api/native";
import { AppLink, useProject, useSearchParams, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanManage } from "../app/session";
import { writeView } from "../app/url-state";
import { Button, IconButton } from "../components/button";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { Menu, MenuItem, MenuLine } from "../components/menu";
import { PageHead } from "../components/page";
import { AskedDialog, type Asked } from "../features/deployments/dialogs";
import { Overview } from "../features/deployments/overview";
import { alertsOf, deploymentQuery, openAlertsQuery, useDeploymentChanges } from "../features/deployments/queries";
import { versionOf } from "../features/deployments/roles";
import { ServingState } from "../features/deployments/state";
import { TryIt } from "../features/deployments/try-it";
import { useTryIt } from "../features/deployments/use-try-it";
import { tabView, type DeploymentTab } from "../features/deployments/view";
import { AlertsTab } from "../features/monitoring/alerts-tab";
import { DriftTab } from "../features/monitoring/drift-tab";
import { QualityTab } from "../features/monitoring/quality-tab";
import { TrafficTab } from "../features/monitoring/traffic-tab";
import "../features/models/models.css";
import "../features/monitoring/monitoring.css";
import "../features/deployments/deployments.css";

/** What is typed and asked on the page of one deployment is not that of another. */
export default function DeploymentPage() {
  const project = useProject();
  const { name = "" }: { name?: string } = useParams({ strict: false });
  return <NamedDeployment key={`${project}/${name}`} name={name} />;
}

function NamedDeployment({ name }: { name: string }) {
  const project = useProject();
  const [{ tab }] = useView(tabView);
  const [asked, setAsked] = useState<Asked>();
  const deployment = useQuery(deploymentQuery(project, name));
  const reload = useDeploymentChanges(project);
  const isGone = isAbsent(deployment.error);
  const tryIt = useTryIt(project, name);
  return (
    <>
      <PageHead
        title={name}
        heading={<>{name}{deployment.data && !isGone ? <ServingState state={deployment.data.state} /> : null}</>}
        crumbs={<AppLink href={paths.deployments(project)}>Deployments</AppLink>}
      >
        {deployment.data && !isGone ? <Actions deployment={deployment.data} onAsk={setAsked} /> : null}
      </PageHead>
      {isGone ? <div className="page-body"><Empty title="There is no such deployment"><p>{deployment.error?.message} in project {project}. <AppLink href={paths.deployments(project)}>See all deployments</AppLink>.</p></Empty></div> : <Tabs name={name} tab={tab} />}
      {isGone ? null : (
        <div className="page-body">
          {deployment.error ? <ErrorNote error={deployment.error} /> : null}
          {deployment.isPending ? <SkeletonRows /> : null}
          {deployment.data ? (
            <>
              {tab === "overview" ? <Overview deployment={deployment.data} /> : null}
              {tab === "try" ? <TryIt deployment={deployment.data} tried={tryIt} /> : null}
              {tab === "traffic" ? <TrafficTab deployment={deployment.data} /> : null}
              {tab === "drift" ? <DriftTab deployment={deployment.data} onChanged={reload} /> : null}
              {tab === "quality" ? <QualityTab deployment={deployment.data} /> : null}
              {tab === "alerts" ? <AlertsTab deployment={deployment.data} onChanged={reload} /> : null}
            </>
          ) : null}
        </div>
      )}
      {deployment.data && asked ? <AskedDialog asked={asked} deployment={deployment.data} onOpenChange={() => setAsked(undefined)} onDone={reload} /> : null}
    </>
  );
}

function Actions({ deployment, onAsk }: { deployment: Deployment; onAsk: (asked: Asked) => void }) {
  const canManage = useCanManage();
  if (!canManage) return null;
  const [canary, previous] = [versionOf(deployment, "canary"), versionOf(deployment, "previous")];
  return (
    <>
      {canary ? <Button icon={<Undo2 size={14} />} onClick={() => onAsk("rollback")}>End canary…</Button> : null}
      {canary ? <Button variant="primary" icon={<ArrowUpRight size={14} />} disabled={canary.state !== "ready"} title={canary.state === "ready" ? undefined : "Only a canary that is ready can be promoted"} onClick={() => onAsk("promote")}>Promote…</Button> : null}
      {!canary && previous ? <Button icon={<Undo2 size={14} />} onClick={() => onAsk("rollback")}>Roll back…</Button> : null}
      {canary ? null : <Button onClick={() => onAsk("canary")}>Start canary…</Button>}
      <Menu align="end" trigger={<IconButton variant="plain" label={`Actions for ${deployment.name}`} icon={<Ellipsis size={15} />} />}>
        {canary ? <MenuItem icon={<Percent size={14} />} onSelect={() => onAsk("weight")}>Change the canary's part…</MenuItem> : null}
        {canary ? <MenuItem onSelect={() => onAsk("canary")}>Another canary…</MenuItem> : null}
        <MenuItem onSelect={() => onAsk("shadow")}>{versionOf(deployment, "shadow") ? "Another shadow…" : "Start shadow…"}</MenuItem>
        {versionOf(deployment, "shadow") ? <MenuItem onSelect={() => onAsk("endShadow")}>End shadow…</MenuItem> : null}
        {versionOf(deployment, "primary") ? <MenuItem onSelect={() => onAsk("follow")}>{versionOf(deployment, "primary")?.alias ? "Follow another alias…" : "Follow an alias…"}</MenuItem> : null}
        <MenuLine />
        <MenuItem icon={<Trash2 size={14} />} danger onSelect={() => onAsk("delete")}>Delete…</MenuItem>
      </Menu>
    </>
  );
}

const tabWords: [DeploymentTab, string][] = [["overview", "Overview"], ["try", "Try it"], ["traffic", "Traffic"], ["drift", "Drift"], ["quality", "Quality"], ["alerts", "Alerts"]];

function Tabs({ name, tab }: { name: string; tab: DeploymentTab }) {
  const project = useProject();
  const search = useSearchParams();
  const open = alertsOf(useQuery(openAlertsQuery(project)).data, name);
  return (
    <nav className="tabs" aria-label="Parts of the deployment">
      {tabWords.map(([id, label]) => (
        <AppLink key={id} href={paths.deployment(project, name, writeView(tabView, { tab: id }, search))} aria-current={id === tab ? "page" : undefined}>{label}{id === "alerts" && open ? <span className="count bad-word" title={`${open} open`}>{open}</span> : null}</AppLink>
      ))}
    </nav>
  );
}
