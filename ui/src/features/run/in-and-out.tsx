// What a run read and what it led to: datasets, logged models, registered versions, and its place among nested runs.
import { useQueries, useQuery } from "@tanstack/react-query";
import type { DatasetInput, ModelVersion, Run } from "../../api/mlflow";
import { AppLink, useProject, useSearchParams } from "../../app/navigation";
import { paths } from "../../app/paths";
import { Button } from "../../components/button";
import { ErrorNote } from "../../components/error-note";
import { plural } from "../../components/format";
import { Section } from "../../components/page";
import { RunList } from "../runs/run-list";
import { childrenAtMost, childrenFilter, childrenQuery, loggedModelQuery, versionsOfRunQuery } from "./queries";
import type { ModelSource } from "./dialogs";
import { modelFolders } from "./snippets";

export function Datasets({ datasets }: { datasets: DatasetInput[] }) {
  const project = useProject();
  if (!datasets.length) return null;
  return (
    <Section title="Datasets read" count={datasets.length}>
      <table className="table inset">
        <thead>
          <tr>
            <th>Dataset</th>
            <th>Used for</th>
            <th>Digest</th>
            <th>Source</th>
            <th className="number">Rows</th>
          </tr>
        </thead>
        <tbody>
          {datasets.map(({ dataset, tags }, index) => (
            <tr key={`${dataset.name}@${dataset.digest} ${index}`}>
              <td><AppLink href={paths.lineage(project, { name: `${project}/dataset/${dataset.name}@${dataset.digest}` })}>{dataset.name}</AppLink></td>
              <td className="secondary">{tags.find((tag) => tag.key === "mlflow.data.context")?.value}</td>
              <td className="mono">{dataset.digest}</td>
              <td className="secondary">{dataset.source_type}</td>
              <td className="number">{rowsOf(dataset.profile)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function rowsOf(profile: string): string {
  try {
    const { num_rows: rows } = JSON.parse(profile) as { num_rows?: unknown };
    return typeof rows === "number" ? rows.toLocaleString("en-US") : "";
  } catch {
    return "";
  }
}

/** Everything of the run that can be registered: logged models first, then folders that older clients wrote. */
export function useModelSources(run: Run | undefined): ModelSource[] {
  const project = useProject();
  const ids = run?.modelOutputs ?? [];
  const models = useQueries({ queries: ids.map((id) => loggedModelQuery(project, id)) });
  if (!run) return [];
  return [
    ...ids.map((id, index) => ({ uri: `models:/${id}`, label: models[index]?.data?.name || id, modelId: id })),
    ...modelFolders(run).map((folder) => ({ uri: `runs:/${run.info.run_id}/${folder}`, label: folder })),
  ];
}

export function ModelsOfRun({ run, sources, canWrite, onRegister }: { run: Run; sources: ModelSource[]; canWrite: boolean; onRegister: (source: ModelSource) => void }) {
  const project = useProject();
  const search = useSearchParams();
  const versions = useQuery(versionsOfRunQuery(project, run.info.run_id));
  if (!sources.length && !versions.data?.length && !versions.error) return null;
  const registered = (source: ModelSource): ModelVersion[] =>
    versions.data?.filter((version) => version.source === source.uri || (source.modelId !== undefined && version.model_id === source.modelId)) ?? [];
  const elsewhere = versions.data?.filter((version) => !sources.some((source) => registered(source).includes(version))) ?? [];
  return (
    <Section title="Models" count={sources.length + elsewhere.length}>
      {versions.error ? <ErrorNote error={versions.error} /> : null}
      <table className="table inset">
        <thead>
          <tr>
            <th>Logged</th>
            <th>Registered as</th>
            <th><span className="visually-hidden">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          {sources.map((source) => (
            <tr key={source.uri}>
              <td>
                <AppLink href={paths.run(project, run.info.run_id, { ...search, tab: "artifacts", of: source.modelId ?? "", file: source.modelId ? "" : source.label })}>{source.label}</AppLink>{" "}
                <span className="muted mono">{source.uri}</span>
              </td>
              <td><VersionLinks versions={registered(source)} /></td>
              <td className="actions-cell">
                {canWrite ? <Button size="small" onClick={() => onRegister(source)}>Register…</Button> : null}
              </td>
            </tr>
          ))}
          {elsewhere.map((version) => (
            <tr key={`${version.name}/${version.version}`}>
              <td className="muted mono">{version.source}</td>
              <td><VersionLinks versions={[version]} /></td>
              <td />
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function VersionLinks({ versions }: { versions: ModelVersion[] }) {
  const project = useProject();
  if (!versions.length) return <span className="muted">–</span>;
  return (
    <span className="row wrap">
      {versions.map((version) => (
        <span key={`${version.name}/${version.version}`} className="row">
          <AppLink href={paths.version(project, version.name, version.version)}>{version.name} v{version.version}</AppLink>
          {version.aliases.map((alias) => <span key={alias} className="chip alias">@{alias}</span>)}
        </span>
      ))}
    </span>
  );
}

export function Children({ run }: { run: Run }) {
  const project = useProject();
  const { experiment_id, run_id } = run.info;
  const children = useQuery(childrenQuery(project, experiment_id, run_id));
  if (children.error) return <Section title="Nested runs"><ErrorNote error={children.error} /></Section>;
  if (!children.data?.runs.length) return null;
  const { runs, total } = children.data;
  return (
    <Section
      title="Nested runs"
      count={total}
      actions={
        <>
          {runs.length > 1 ? <AppLink href={paths.compare(project, { runs: runs.map((child) => child.run_id).join(",") })}>Compare</AppLink> : null}
          <AppLink href={paths.runs(project, { exp: experiment_id, q: childrenFilter(run_id) })}>As a table</AppLink>
        </>
      }
    >
      <RunList runs={runs} />
      {total > childrenAtMost ? <p className="muted">The newest {childrenAtMost} of {plural(total, "nested run")}.</p> : null}
    </Section>
  );
}
