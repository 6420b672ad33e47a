import { useQuery } from "@tanstack/react-query";
import type { LedgerEvent } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { shortId } from "../../components/format";
import { pageOf } from "../../components/names";
import { Section } from "../../components/page";
import { Ago } from "../../components/time";
import { phraseOf } from "./phrases";
import { historyQuery } from "./queries";

const shownAtMost = 12;
// Labels come in many parts, every few minutes: they would hide all else, and the quality tells of them.
const shownActions = ["deployment.", "alert.", "alert_rule.", "monitoring.configured", "monitoring.reference_set"];

/** What was done to the deployment, newest first. */
export function History({ name }: { name: string }) {
  const project = useProject();
  const history = useQuery(historyQuery(project, name, shownActions, shownAtMost));
  return (
    <Section title="History" actions={<AppLink href={paths.audit(project, { subject: `deployment/${name}` })}>All</AppLink>}>
      {history.error ? <ErrorNote error={history.error} /> : null}
      {history.isPending ? <SkeletonRows count={3} /> : null}
      <ol className="happened">
        {history.data?.map((event) => <Happened key={event.id} event={event} />)}
      </ol>
    </Section>
  );
}

function Happened({ event }: { event: LedgerEvent }) {
  const run = event.actor.kind === "run" ? pageOf(`${event.project}/run/${event.actor.name}`) : undefined;
  return (
    <li>
      <span>{phraseOf(event)}</span>
      <span className="muted">
        <Ago atMs={event.at_ms} /> by {run ? <AppLink href={run}>run {shortId(event.actor.name)}</AppLink> : event.actor.name}
      </span>
    </li>
  );
}
