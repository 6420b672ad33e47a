import { useQuery } from "@tanstack/react-query";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { Section } from "../../components/page";
import { OpenAlerts } from "./open-alerts";
import { alertsOf, deploymentsQuery, openAlertsQuery, useDeploymentChanges } from "./queries";
import { formatRate, recentTraffic } from "./roles";
import { ServingState } from "./state";
import "./deployments.css";

const shownAtMost = 8;

/** How the project's deployments do; nothing where there are none. */
export function DeploymentHealth() {
  const project = useProject();
  const all = useQuery(deploymentsQuery(project));
  const alerts = useQuery({ ...openAlertsQuery(project), enabled: Boolean(all.data?.length) });
  useDeploymentChanges(project);
  if (!all.data?.length) return null;
  const openOf = (name: string) => alertsOf(alerts.data, name);
  // What needs a look comes first.
  const sorted = [...all.data].sort((a, b) => openOf(b.name) - openOf(a.name) || Number(b.state === "failed") - Number(a.state === "failed") || a.name.localeCompare(b.name));
  return (
    <Section title="Deployments" count={all.data.length} actions={<AppLink href={paths.deployments(project)}>All</AppLink>}>
      <ul className="stack" style={{ gap: 4 }}>
        {sorted.slice(0, shownAtMost).map((deployment) => {
          const recent = recentTraffic(deployment);
          return (
            <li key={deployment.name} className="row">
              <AppLink className="ellipsis" href={paths.deployment(project, deployment.name)}>{deployment.name}</AppLink>
              <span className="row push nowrap">
                <OpenAlerts name={deployment.name} count={openOf(deployment.name)} />
                {recent ? <span className="muted">{formatRate(recent.perSecond)}/s</span> : null}
                <ServingState state={deployment.state} />
              </span>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}
