import type { Deployment } from "../../api/native";
import { useProject } from "../../app/navigation";
import { trackingUri } from "../../app/paths";
import { CopyButton } from "../../components/copy";
import { plural } from "../../components/format";
import { Section } from "../../components/page";
import { Ago } from "../../components/time";
import { NeighbourLinks } from "../lineage/neighbour-links";
import { Failures } from "./failures";
import { History } from "./history";
import { SplitBar } from "./split-bar";
import { CanaryGate, ShadowAnswers } from "./trials";
import { VersionsTable } from "./versions-table";

export function Overview({ deployment }: { deployment: Deployment }) {
  const project = useProject();
  const address = `${trackingUri(project)}/serving/${deployment.name}`;
  return (
    <div className="columns">
      <div>
        <Failures deployment={deployment} />
        <Section title="Traffic" actions={<span className="muted">Rates, errors and latencies of the last five minutes</span>}>
          <SplitBar deployment={deployment} />
          <VersionsTable deployment={deployment} />
        </Section>
        <CanaryGate deployment={deployment} />
        <ShadowAnswers deployment={deployment} />
      </div>
      <aside aria-label="About the deployment">
        <Section title="About">
          <dl className="facts">
            <dt>Address</dt>
            <dd><span className="row"><span className="mono">{address}</span><CopyButton text={address} label="Copy address" /></span></dd>
            <dt>Workers</dt>
            <dd>{plural(deployment.workers, "process", "processes")} for each version</dd>
            <dt>Created</dt>
            <dd><Ago atMs={deployment.created_at_ms} /> by {deployment.created_by}</dd>
            <dt>Changed</dt>
            <dd><Ago atMs={deployment.updated_at_ms} /></dd>
          </dl>
        </Section>
        <NeighbourLinks name={`${project}/deployment/${deployment.name}`} steps={3} />
        <History name={deployment.name} />
      </aside>
    </div>
  );
}
