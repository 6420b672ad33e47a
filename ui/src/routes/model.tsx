import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Ellipsis, Pencil, Tag, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { mlflow, type RegisteredModel } from "../api/mlflow";
import { AppLink, useGo, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanManage, useCanWrite } from "../app/session";
import { useListKeys } from "../app/use-list-keys";
import { usePageTokens } from "../app/use-page-tokens";
import { Button, IconButton } from "../components/button";
import { LoadingBar, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { Menu, MenuItem } from "../components/menu";
import { PageHead, Section } from "../components/page";
import { Pager } from "../components/pager";
import { Ago } from "../components/time";
import { AliasChip } from "../features/models/alias-chip";
import { DeleteAlias, SetAlias } from "../features/models/alias-dialogs";
import { Description } from "../features/models/description";
import { DeleteModel, DeleteVersion, RenameModel, SetStage } from "../features/models/dialogs";
import { ModelLineage } from "../features/models/model-lineage";
import { modelQuery, versionsPageQuery } from "../features/models/queries";
import { RegisterSnippet, UseSnippets } from "../features/models/snippets";
import { TagSection } from "../components/tags";
import { useModelChanges, type ModelChanges } from "../features/models/use-model-changes";
import { ColumnChooser } from "../features/runs/column-chooser";
import { useSourceRuns, VersionsTable, type VersionChange } from "../features/models/versions-table";
import { modelView } from "../features/models/view";
import "../features/models/models.css";

type Asked = VersionChange | { what: "rename" | "delete-model" | "new-alias" } | { what: "delete-alias"; alias: string; version: string };

export default function ModelPage() {
  const project = useProject();
  const { name = "" }: { name?: string } = useParams({ strict: false });
  const canWrite = useCanWrite();
  const canManage = useCanManage();
  const [asked, setAsked] = useState<Asked>();
  const model = useQuery(modelQuery(project, name));
  const { reload, leave } = useModelChanges(project, name);
  const then = (change: Promise<unknown>) => change.then(reload);

  return (
    <>
      <PageHead title={name} crumbs={<AppLink href={paths.models(project)}>Models</AppLink>}>
        {model.data && canManage ? (
          <Button icon={<Tag size={14} />} onClick={() => setAsked({ what: "new-alias" })}>
            Set alias
          </Button>
        ) : null}
        {model.data && canWrite ? (
          <Menu align="end" trigger={<IconButton label={`Actions for ${name}`} icon={<Ellipsis size={16} />} variant="plain" />}>
            <MenuItem icon={<Pencil size={14} />} onSelect={() => setAsked({ what: "rename" })}>Rename…</MenuItem>
            <MenuItem icon={<Trash2 size={14} />} danger disabled={!canManage} onSelect={() => setAsked({ what: "delete-model" })}>Delete…</MenuItem>
          </Menu>
        ) : null}
      </PageHead>
      <div className="page-body">
        {model.error ? <ErrorNote error={model.error} /> : null}
        {model.isPending ? <SkeletonRows /> : null}
        {model.data ? (
          <div className="columns">
            <div>
              <Description text={model.data.description} canWrite={canWrite} onSave={(text) => then(mlflow.updateModel(project, name, text))} />
              <Versions model={model.data} onChange={setAsked} />
              {model.data.latest_versions.length ? <UseSnippets uri={usualUri(model.data)} /> : null}
            </div>
            <aside className="aside" aria-label="About the model">
              <Section title="Aliases" count={model.data.aliases.length}>
                {model.data.aliases.length ? (
                  <ul className="stack" style={{ gap: 6 }}>
                    {model.data.aliases.map(({ alias, version }) => (
                      <li key={alias}>
                        <AliasChip name={name} alias={alias} version={version} onDelete={canManage ? () => setAsked({ what: "delete-alias", alias, version }) : undefined} />
                      </li>
                    ))}
                  </ul>
                ) : (
                  <p className="muted">None yet. An alias such as champion lets clients load a version without knowing its number.</p>
                )}
              </Section>
              <ModelLineage model={model.data} />
              <TagSection
                tags={model.data.tags}
                canWrite={canWrite}
                onSet={(key, value) => then(mlflow.setModelTag(project, name, key, value))}
                onDelete={(key) => then(mlflow.deleteModelTag(project, name, key))}
              />
              <Section title="About">
                <dl className="facts">
                  <dt>Created</dt>
                  <dd><Ago atMs={model.data.creation_timestamp} /></dd>
                  <dt>Updated</dt>
                  <dd><Ago atMs={model.data.last_updated_timestamp} /></dd>
                </dl>
              </Section>
            </aside>
          </div>
        ) : null}
      </div>
      {model.data && asked ? <AskedDialog model={model.data} asked={asked} onClose={() => setAsked(undefined)} onDone={reload} onLeave={leave} /> : null}
    </>
  );
}

/** By alias where there is one: what people should copy. */
function usualUri({ name, aliases, latest_versions }: RegisteredModel): string {
  const alias = aliases.find((entry) => entry.alias === "champion") ?? aliases[0];
  if (alias) return `models:/${name}@${alias.alias}`;
  return `models:/${name}/${Math.max(1, ...latest_versions.map((version) => Number(version.version)))}`;
}

function Versions({ model, onChange }: { model: RegisteredModel; onChange: (change: VersionChange) => void }) {
  const project = useProject();
  const go = useGo();
  const [view, setView] = useView(modelView);
  const page = useQuery(versionsPageQuery(project, model.name, view.pageToken));
  // A search leaves aliases out; the model knows all of them.
  const aliasesOf = (version: string) => model.aliases.filter((entry) => entry.version === version).map((entry) => entry.alias);
  const versions = page.data?.items.map((item) => ({ ...item, aliases: aliasesOf(item.version) })) ?? [];
  const { runs, columns, experimentIds } = useSourceRuns(project, versions, view.metrics);
  const tokens = usePageTokens(`versions/${project}/${model.name}`);
  const nextToken = page.data?.nextPageToken;
  useEffect(() => {
    if (nextToken) tokens.remember(view.page + 1, nextToken);
  }, [nextToken, tokens, view.page]);
  const current = useListKeys({ count: versions.length, onOpen: (index) => go(paths.version(project, model.name, versions[index]!.version)) });

  const chooser = experimentIds.length ? (
    <ColumnChooser kinds={["metrics"]} experimentIds={experimentIds} chosen={columns} isDefault={view.metrics === undefined} onChange={(metrics) => setView({ metrics }, { replace: true })} />
  ) : null;
  return (
    <Section title="Versions" actions={chooser}>
      {page.error ? <ErrorNote error={page.error} /> : null}
      {page.isPending ? <SkeletonRows count={4} /> : null}
      <div style={{ position: "relative" }}>{page.isPlaceholderData ? <LoadingBar /> : null}</div>
      {page.data && !versions.length ? <RegisterSnippet name={model.name} /> : null}
      {versions.length ? <VersionsTable versions={versions} runs={runs} columns={columns} current={current} onChange={onChange} /> : null}
      {nextToken || view.page > 1 ? (
        <Pager
          page={view.page}
          hasNext={nextToken !== undefined}
          onPrevious={() => setView(tokens.previous(view.page))}
          onNext={() => setView({ page: view.page + 1, pageToken: nextToken })}
        />
      ) : null}
    </Section>
  );
}

interface AskedDialogProps {
  model: RegisteredModel;
  asked: Asked;
  onClose: () => void;
  onDone: () => Promise<void>;
  onLeave: ModelChanges["leave"];
}

function AskedDialog({ model, asked, onClose, onDone, onLeave }: AskedDialogProps) {
  const state = { onOpenChange: onClose, onDone };
  switch (asked.what) {
    case "new-alias": return <SetAlias model={model} {...state} />;
    case "alias": return <SetAlias model={model} version={asked.version.version} {...state} />;
    case "delete-alias": return <DeleteAlias name={model.name} alias={asked.alias} version={asked.version} {...state} />;
    case "stage": return <SetStage version={asked.version} {...state} />;
    case "delete": return <DeleteVersion version={asked.version} onOpenChange={onClose} onDelete={(removal) => removal().then(onDone)} />;
    case "rename": return <RenameModel name={model.name} onOpenChange={onClose} onLeave={onLeave} />;
    case "delete-model": return <DeleteModel name={model.name} aliases={model.aliases.length} onOpenChange={onClose} onLeave={onLeave} />;
  }
}
