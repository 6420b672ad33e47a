import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useEffect, useState } from "react";
import type { RegisteredModel } from "../api/mlflow";
import { AppLink, useGo, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanWrite } from "../app/session";
import { useDraft } from "../app/use-draft";
import { useListKeys } from "../app/use-list-keys";
import { usePageTokens } from "../app/use-page-tokens";
import { Button } from "../components/button";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { SearchField } from "../components/fields";
import { PageHead } from "../components/page";
import { Pager } from "../components/pager";
import { Ago } from "../components/time";
import { AliasChip } from "../features/models/alias-chip";
import { CreateModel } from "../features/models/dialogs";
import { modelsPageQuery } from "../features/models/queries";
import { RegisterSnippet } from "../features/models/snippets";
import { useModelChanges } from "../features/models/use-model-changes";
import { modelsView } from "../features/models/view";

const aliasesShown = 3;

export default function ModelsPage() {
  const project = useProject();
  const go = useGo();
  const canWrite = useCanWrite();
  const [view, setView] = useView(modelsView);
  const [search, setSearch] = useDraft(view.search, (text) => setView({ search: text, page: 1, pageToken: undefined }, { replace: true }));
  const [isMaking, setMaking] = useState(false);
  const page = useQuery(modelsPageQuery(project, view.search, view.pageToken));
  const tokens = usePageTokens(`models/${project}/${view.search}`);
  const { reload } = useModelChanges(project);

  const models = page.data?.items ?? [];
  const nextToken = page.data?.nextPageToken;
  useEffect(() => {
    if (nextToken) tokens.remember(view.page + 1, nextToken);
  }, [nextToken, tokens, view.page]);
  const current = useListKeys({ count: models.length, onOpen: (index) => go(paths.model(project, models[index]!.name)) });

  return (
    <>
      <PageHead title="Models">
        {canWrite ? (
          <Button variant="primary" icon={<Plus size={14} />} onClick={() => setMaking(true)}>
            New model
          </Button>
        ) : null}
      </PageHead>
      <div className="toolbar">
        <SearchField label="Search models" data-search="" style={{ width: 280 }} value={search} onChange={setSearch} />
      </div>
      <div className="page-body flush">
        {page.error ? <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div> : null}
        {page.isPending ? <SkeletonRows /> : null}
        {page.data && !models.length ? <NoModels isSearch={view.search !== ""} /> : null}
        {models.length ? (
          <table className="table sticky">
            <thead>
              <tr>
                <th>Name</th>
                <th>Latest version</th>
                <th>Aliases</th>
                <th>Description</th>
                <th className="number">Created</th>
                <th className="number">Updated</th>
              </tr>
            </thead>
            <tbody>
              {models.map((model, index) => (
                <ModelRow key={model.name} model={model} isCurrent={index === current} />
              ))}
            </tbody>
          </table>
        ) : null}
      </div>
      {nextToken || view.page > 1 ? (
        <Pager
          page={view.page}
          hasNext={nextToken !== undefined}
          onPrevious={() => setView(tokens.previous(view.page))}
          onNext={() => setView({ page: view.page + 1, pageToken: nextToken })}
        />
      ) : null}
      {isMaking ? <CreateModel onOpenChange={() => setMaking(false)} onDone={reload} /> : null}
    </>
  );
}

function ModelRow({ model, isCurrent }: { model: RegisteredModel; isCurrent: boolean }) {
  const project = useProject();
  // The server answers the latest version of each stage.
  const latest = model.latest_versions.reduce((highest, { version }) => Math.max(highest, Number(version)), 0);
  return (
    <tr data-current={isCurrent}>
      <td className="nowrap">
        <AppLink href={paths.model(project, model.name)}>{model.name}</AppLink>
      </td>
      <td className="nowrap">
        {latest ? <AppLink href={paths.version(project, model.name, String(latest))}>Version {latest}</AppLink> : <span className="muted">none</span>}
      </td>
      <td>
        <span className="row">
          {model.aliases.slice(0, aliasesShown).map(({ alias, version }) => (
            <AliasChip key={alias} name={model.name} alias={alias} version={version} />
          ))}
          {model.aliases.length > aliasesShown ? <span className="muted nowrap">{model.aliases.length - aliasesShown} more</span> : null}
        </span>
      </td>
      <td className="wide ellipsis secondary">{model.description}</td>
      <td className="number secondary"><Ago atMs={model.creation_timestamp} /></td>
      <td className="number secondary"><Ago atMs={model.last_updated_timestamp} /></td>
    </tr>
  );
}

function NoModels({ isSearch }: { isSearch: boolean }) {
  if (isSearch) return <Empty title="No model has this in its name"><p>Search for less, or clear the search.</p></Empty>;
  return <Empty title="No models yet"><RegisterSnippet /></Empty>;
}
