import { useProject, useView } from "../app/navigation";
import { Empty } from "../components/empty";
import { kindWord, labelOf, parseName } from "../components/names";
import { PageHead } from "../components/page";
import { LineagePanel, lineageView } from "../features/lineage/lineage-panel";

export default function LineagePage() {
  const project = useProject();
  const [view, setView] = useView(lineageView);
  const { kind, id } = parseName(view.name);
  return (
    <>
      <PageHead title={view.name ? `Lineage of ${kindWord(kind, id)} ${labelOf(view.name)}` : "Lineage"} />
      <div className="page-body">
        {view.name ? (
          <LineagePanel name={view.name} direction={view.direction} depth={view.depth} onChange={setView} isPage />
        ) : (
          <Empty title="Nothing chosen">
            <p>Open the lineage of a run, a model version, a data commit or a deployment from its page in project {project}.</p>
          </Empty>
        )}
      </div>
    </>
  );
}
