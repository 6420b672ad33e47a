import { useProject, useSearchParams, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useDraft } from "../app/use-draft";
import { writeView } from "../app/url-state";
import { SearchField } from "../components/fields";
import { kindWord, parseName } from "../components/names";
import { PageHead } from "../components/page";
import { Finder } from "../features/lineage/finder";
import { useFindings } from "../features/lineage/findings";
import { LineagePanel, lineageView } from "../features/lineage/lineage-panel";
import { useTitles } from "../features/lineage/titles";
import { UsedBy } from "../features/lineage/used-by";

/** Where things come from and what came from them, begun from anything. */
export default function LineagePage() {
  const project = useProject();
  const [view, setView] = useView(lineageView);
  const [draft, setDraft] = useDraft(view.search, (search) => setView({ search }, { replace: true }));
  const { kind, id } = parseName(view.name);
  const titleOf = useTitles(project, view.name ? [view.name] : []);
  return (
    <>
      <PageHead title={view.name ? `Lineage of ${kindWord(kind, id)} ${titleOf(view.name)}` : "Lineage"} />
      <div className="toolbar" role="search" aria-label="Choose what the lineage is of">
        <SearchField label="Find a run, model, deployment, commit…" data-search="" style={{ width: 340 }} value={draft} onChange={setDraft} />
        {view.name && view.search ? <span className="muted">What is chosen here comes into the middle.</span> : null}
      </div>
      <div className="page-body">
        {view.name && !view.search ? (
          <>
            <LineagePanel name={view.name} direction={view.direction} depth={view.depth} hidden={view.hidden} onChange={(patch) => setView(patch, { replace: true })} isPage />
            <UsedBy name={view.name} title="What depends on it" nothing="Nothing came from it." />
          </>
        ) : (
          <Choice search={view.search.trim()} />
        )}
      </div>
    </>
  );
}

function Choice({ search }: { search: string }) {
  const project = useProject();
  const params = useSearchParams();
  const [view] = useView(lineageView);
  const found = useFindings(project, search);
  const hrefOf = (name: string) => paths.lineage(project, writeView(lineageView, { ...view, name, search: "" }, params));
  return <Finder search={search} {...found} hrefOf={hrefOf} />;
}
