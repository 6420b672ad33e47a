import { useQuery } from "@tanstack/react-query";
import { useProject } from "../../app/navigation";
import { ErrorNote } from "../../components/error-note";
import { parseName } from "../../components/names";
import { Ago } from "../../components/time";
import { PipelineJobLink } from "./job-link";
import { decidedQuery } from "./queries";
import { decisionWord } from "./states";

const shownAtMost = 10;

/** What was decided lately, and by whom; nothing where nothing was. */
export function DecidedList() {
  const project = useProject();
  const found = useQuery(decidedQuery(project, shownAtMost));
  if (found.error) return <ErrorNote error={found.error} title="Decided lately" />;
  if (!found.data?.length) return null;
  return (
    <section className="decided" aria-labelledby="decided-lately">
      <h2 id="decided-lately">Decided lately</h2>
      <ol className="happened in-text">
        {found.data.map((event) => {
          const [runId = "", ...job] = parseName(event.subject).id.split("/");
          const comment = String(event.detail?.comment ?? "");
          return (
            <li key={event.id}>
              <span><PipelineJobLink runId={runId} job={job.join("/")} />: {decisionWord(event)}{comment ? `, “${comment}”` : ""}</span>
              <span className="muted"><Ago atMs={event.at_ms} /> by {event.actor.name}</span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
