import { useQuery } from "@tanstack/react-query";
import type { RegisteredModel } from "../../api/mlflow";
import { useProject, useView } from "../../app/navigation";
import { Section } from "../../components/page";
import { NeighbourLinks } from "../lineage/neighbour-links";
import { versionsPageQuery } from "./queries";
import { modelView } from "./view";

/** What a model's version came from and what it led to: the champion's, or the newest one's, or the chosen one's. */
export function ModelLineage({ model }: { model: RegisteredModel }) {
  const project = useProject();
  const [view, setView] = useView(modelView);
  const newest = useQuery(versionsPageQuery(project, model.name, undefined));
  const usual = model.aliases.find(({ alias }) => alias === "champion")?.version ?? newest.data?.items[0]?.version;
  const version = view.lineageOf ?? usual;
  if (!version) return newest.data ? <Section title="Lineage"><p className="muted">It begins with the first version.</p></Section> : null;
  const versions = [...new Set([...(newest.data?.items.map((item) => item.version) ?? []), ...model.aliases.map((each) => each.version), version])];
  const choice = (
    <select className="select" aria-label="Version whose lineage is shown" value={version} onChange={(event) => setView({ lineageOf: event.target.value === usual ? undefined : event.target.value }, { replace: true })}>
      {versions.map((each) => <option key={each} value={each}>version {each}</option>)}
    </select>
  );
  return <NeighbourLinks name={`${project}/model/${model.name}/${version}`} choice={choice} />;
}
