import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { Ellipsis, Layers, Plus, Rocket, Tag, Trash2 } from "lucide-react";
import { useState } from "react";
import { mlflow, type ModelVersion, type RegisteredModel } from "../api/mlflow";
import { AppLink, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanManage, useCanWrite } from "../app/session";
import { Button, IconButton } from "../components/button";
import { SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { shortId } from "../components/format";
import { Menu, MenuItem } from "../components/menu";
import { PageHead, Section } from "../components/page";
import { Status } from "../components/status";
import { Swatch } from "../components/swatch";
import { Ago } from "../components/time";
import { LineagePanel } from "../features/lineage/lineage-panel";
import { NeighbourLinks } from "../features/lineage/neighbour-links";
import { AliasChip } from "../features/models/alias-chip";
import { DeleteAlias, SetAlias } from "../features/models/alias-dialogs";
import { Description } from "../features/models/description";
import { DeleteVersion, SetStage } from "../features/models/dialogs";
import { locationQuery } from "../features/models/files";
import { MetricsBeside } from "../features/models/metrics-beside";
import { modelQuery, versionQuery, versionsPageQuery } from "../features/models/queries";
import { CreateDeployment } from "../features/deployments/dialogs";
import { Signature } from "../features/models/signature";
import { UseSnippets } from "../features/models/snippets";
import { TagSection } from "../components/tags";
import { useModelChanges, type ModelChanges } from "../features/models/use-model-changes";
import { VersionFiles } from "../features/models/version-files";
import { versionView } from "../features/models/view";
import { KeyValues } from "../features/run/key-values";
import { runQuery } from "../features/run/queries";
import "../features/models/models.css";

type Asked = { what: "alias" | "deploy" | "stage" | "delete" } | { what: "delete-alias"; alias: string };

export default function VersionPage() {
  const project = useProject();
  const { name = "", version: number = "" }: { name?: string; version?: string } = useParams({ strict: false });
  const canManage = useCanManage();
  const [view, setView] = useView(versionView);
  const [asked, setAsked] = useState<Asked>();
  const model = useQuery(modelQuery(project, name));
  const version = useQuery(versionQuery(project, name, number));
  const { reload, leave } = useModelChanges(project, `${name}/${number}`);
  const error = version.error ?? model.error;

  return (
    <>
      <PageHead
        title={`${name} version ${number}`}
        heading={
          <>
            Version {number}
            {version.data?.aliases.map((alias) => <AliasChip key={alias} name={name} alias={alias} />)}
          </>
        }
        crumbs={
          <>
            <AppLink href={paths.models(project)}>Models</AppLink>
            <span aria-hidden="true">/</span>
            <AppLink href={paths.model(project, name)}>{name}</AppLink>
          </>
        }
      >
        {version.data && model.data && canManage ? (
          <>
            <Button icon={<Rocket size={14} />} onClick={() => setAsked({ what: "deploy" })}>Deploy…</Button>
            <Button icon={<Tag size={14} />} onClick={() => setAsked({ what: "alias" })}>Set alias</Button>
            <Menu align="end" trigger={<IconButton label={`Actions for version ${number}`} icon={<Ellipsis size={16} />} variant="plain" />}>
              <MenuItem icon={<Layers size={14} />} onSelect={() => setAsked({ what: "stage" })}>Change stage…</MenuItem>
              <MenuItem icon={<Trash2 size={14} />} danger onSelect={() => setAsked({ what: "delete" })}>Delete…</MenuItem>
            </Menu>
          </>
        ) : null}
      </PageHead>
      <div className="page-body">
        {error ? <ErrorNote error={error} /> : null}
        {!error && !(version.data && model.data) ? <SkeletonRows /> : null}
        {version.data && model.data ? (
          <>
            <div className="section">
              <div className="columns">
                <Main version={version.data} model={model.data} onDone={reload} />
                <Side version={version.data} model={model.data} onAsk={setAsked} onDone={reload} />
              </div>
            </div>
            <Section title="Lineage">
              <LineagePanel
                name={`${project}/model/${name}/${number}`}
                direction={view.direction}
                depth={view.depth}
                onChange={(patch) => setView(patch, { replace: true })}
              />
            </Section>
          </>
        ) : null}
      </div>
      {version.data && model.data && asked ? (
        <AskedDialog version={version.data} model={model.data} asked={asked} onClose={() => setAsked(undefined)} onDone={reload} onLeave={leave} />
      ) : null}
    </>
  );
}

interface PartProps {
  version: ModelVersion;
  model: RegisteredModel;
  onDone: () => Promise<void>;
}

function Main({ version, model, onDone }: PartProps) {
  const project = useProject();
  const canWrite = useCanWrite();
  const [view, setView] = useView(versionView);
  const run = useQuery({ ...runQuery(project, version.run_id), enabled: version.run_id !== "" });
  const newest = useQuery(versionsPageQuery(project, model.name, undefined));
  const location = useQuery(locationQuery(project, version.name, version.version));
  const alias = version.aliases.find((each) => each === "champion") ?? version.aliases[0];
  return (
    <div>
      <Description
        text={version.description}
        canWrite={canWrite}
        onSave={(text) => mlflow.updateVersion(project, version.name, version.version, text).then(onDone)}
      />
      {run.error ? <div className="section"><ErrorNote error={run.error} title="Source run" /></div> : null}
      <MetricsBeside
        version={version}
        run={run.data}
        model={model}
        others={newest.data?.items.map((item) => item.version) ?? []}
        chosen={view.rival}
        onChoose={(rival) => setView({ rival }, { replace: true })}
      />
      {location.data ? <Signature name={version.name} version={version.version} location={location.data} /> : null}
      <UseSnippets uri={alias ? `models:/${version.name}@${alias}` : `models:/${version.name}/${version.version}`} />
      {run.data ? (
        <KeyValues title="Params" rows={run.data.params} search={view.params} onSearch={(params) => setView({ params }, { replace: true })} empty="The run has no params." heads={<><th>Param</th><th>Value</th></>}>
          {({ key, value }) => (
            <>
              <td className="param-key">{key}</td>
              <td className="breakable mono">{value}</td>
            </>
          )}
        </KeyValues>
      ) : null}
      {location.error ? <div className="section"><ErrorNote error={location.error} title="Files" /></div> : null}
      {location.data ? <VersionFiles name={version.name} version={version.version} location={location.data} folder={view.folder} /> : null}
    </div>
  );
}

function Side({ version, model, onAsk, onDone }: PartProps & { onAsk: (asked: Asked) => void }) {
  const project = useProject();
  const canWrite = useCanWrite();
  const canManage = useCanManage();
  const run = useQuery({ ...runQuery(project, version.run_id), enabled: version.run_id !== "" });
  return (
    <aside className="aside" aria-label="About the version">
      <Section
        title="Aliases"
        actions={canManage ? <Button size="small" icon={<Plus size={13} />} aria-label="Add alias" onClick={() => onAsk({ what: "alias" })}>Add</Button> : null}
      >
        {version.aliases.length ? (
          <ul className="row wrap">
            {version.aliases.map((each) => (
              <li key={each}>
                <AliasChip name={model.name} alias={each} onDelete={canManage ? () => onAsk({ what: "delete-alias", alias: each }) : undefined} />
              </li>
            ))}
          </ul>
        ) : (
          <p className="muted">None yet.</p>
        )}
      </Section>
      <Section title="About">
        <dl className="facts">
          <dt>Run</dt>
          <dd>
            {version.run_id ? (
              <span className="row">
                <Swatch runId={version.run_id} />
                <AppLink className="ellipsis" href={paths.run(project, version.run_id)}>{run.data?.info.run_name || shortId(version.run_id)}</AppLink>
              </span>
            ) : (
              <span className="muted">none</span>
            )}
          </dd>
          {run.data ? <><dt>Run status</dt><dd><Status status={run.data.info.status} /></dd></> : null}
          {version.current_stage && version.current_stage !== "None" ? <><dt>Stage</dt><dd>{version.current_stage}</dd></> : null}
          {version.status && version.status !== "READY" ? <><dt>Status</dt><dd>{version.status} {version.status_message}</dd></> : null}
          <dt>Registered</dt>
          <dd><Ago atMs={version.creation_timestamp} />{version.user_id ? ` by ${version.user_id}` : ""}</dd>
          <dt>Updated</dt>
          <dd><Ago atMs={version.last_updated_timestamp} /></dd>
          <dt>Source</dt>
          <dd className="mono">{version.source}</dd>
        </dl>
      </Section>
      <NeighbourLinks name={`${project}/model/${version.name}/${version.version}`} />
      <TagSection
        tags={version.tags}
        canWrite={canWrite}
        onSet={(key, value) => mlflow.setVersionTag(project, version.name, version.version, key, value).then(onDone)}
        onDelete={(key) => mlflow.deleteVersionTag(project, version.name, version.version, key).then(onDone)}
      />
    </aside>
  );
}

function AskedDialog({ version, model, asked, onClose, onDone, onLeave }: PartProps & { asked: Asked; onClose: () => void; onLeave: ModelChanges["leave"] }) {
  const project = useProject();
  const state = { onOpenChange: onClose, onDone };
  switch (asked.what) {
    case "alias": return <SetAlias model={model} version={version.version} {...state} />;
    case "delete-alias": return <DeleteAlias name={model.name} alias={asked.alias} version={version.version} {...state} />;
    case "deploy": return <CreateDeployment model={`models:/${model.name}/${version.version}`} {...state} />;
    case "stage": return <SetStage version={version} {...state} />;
    case "delete":
      return <DeleteVersion version={version} onOpenChange={onClose} onDelete={(removal) => onLeave(removal, paths.model(project, version.name))} />;
  }
}
