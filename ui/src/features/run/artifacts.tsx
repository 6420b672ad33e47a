import { useQuery } from "@tanstack/react-query";
import { ChevronDown, ChevronRight, File, FileImage, FileJson, FileSpreadsheet, FileText, Folder, FolderOpen } from "lucide-react";
import { useMemo } from "react";
import type { ArtifactFile, Run } from "../../api/mlflow";
import { useProject, useView } from "../../app/navigation";
import { Button } from "../../components/button";
import { byName } from "../../components/by-name";
import { Snippet } from "../../components/copy";
import { Empty, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatBytes, plural } from "../../components/format";
import { artifactKind, foldersAround, nameOf } from "./artifact-kind";
import { ArtifactPreview } from "./artifact-preview";
import { folderQuery, loggedModelSource, runSource, type ArtifactSource } from "./artifact-source";
import type { ModelSource } from "./dialogs";
import { loadModelSnippet } from "./snippets";
import { filesView } from "./view";

const icons = { image: FileImage, json: FileJson, csv: FileSpreadsheet, text: FileText, page: FileText, unknown: File };

interface ArtifactsProps {
  run: Run;
  sources: ModelSource[];
  canWrite: boolean;
  onRegister: (source: ModelSource) => void;
}

/** The files of a run and of the models that it logged: a tree that loads one level at a time, and a preview. */
export function Artifacts({ run, sources, canWrite, onRegister }: ArtifactsProps) {
  const project = useProject();
  const [view, setView] = useView(filesView);
  const models = sources.filter((source) => source.modelId !== undefined);
  const chosen = models.find((source) => source.modelId === view.model);
  const modelId = chosen?.modelId;
  const source = useMemo(
    () => (modelId ? loggedModelSource(project, modelId, chosen?.label ?? modelId) : runSource(project, run.info.run_id)),
    [project, modelId, chosen?.label, run.info.run_id],
  );
  const open = useMemo(() => new Set([...view.open, ...foldersAround(view.path)]), [view.open, view.path]);
  const tree: TreeState = {
    source,
    open,
    current: view.path,
    onOpen: (path, isOpen) => setView({ open: isOpen ? [...open, path] : [...open].filter((other) => other !== path), ...(isOpen ? {} : { path: view.path.startsWith(`${path}/`) ? path : view.path }) }, { replace: true }),
    onChoose: (file) => setView({ path: file.path, open: file.is_dir ? [...open, file.path] : [...open] }),
  };

  return (
    <div className="artifacts">
      <nav className="artifact-tree" aria-label="Files">
        {models.length ? (
          <select className="select" aria-label="Whose files" value={modelId ?? ""} onChange={(event) => setView({ model: event.target.value || undefined, path: "", open: [] })}>
            <option value="">Files of the run</option>
            {models.map((model) => <option key={model.uri} value={model.modelId}>Model {model.label}</option>)}
          </select>
        ) : null}
        <FolderOfTree path="" level={0} tree={tree} />
      </nav>
      <div className="artifact-pane">
        {view.path ? (
          <Chosen key={`${source.id} ${view.path}`} path={view.path} source={source} canWrite={canWrite} onOpen={tree.onChoose} onRegister={onRegister} modelId={modelId} />
        ) : modelId ? (
          <FolderPane path="" source={source} modelId={modelId} canWrite={canWrite} onOpen={tree.onChoose} onRegister={onRegister} />
        ) : (
          <p className="muted" style={{ padding: 20 }}>Choose a file to see it.</p>
        )}
      </div>
    </div>
  );
}

interface TreeState {
  source: ArtifactSource;
  open: ReadonlySet<string>;
  current: string;
  onOpen: (path: string, isOpen: boolean) => void;
  onChoose: (file: ArtifactFile) => void;
}

const byKindAndName = (a: ArtifactFile, b: ArtifactFile) => Number(b.is_dir) - Number(a.is_dir) || byName(a.path, b.path);

function FolderOfTree({ path, level, tree }: { path: string; level: number; tree: TreeState }) {
  const project = useProject();
  const files = useQuery(folderQuery(project, tree.source, path));
  if (files.error) return <ErrorNote error={files.error} />;
  if (files.isPending) return level === 0 ? <SkeletonRows count={4} /> : <p className="muted tree-wait" style={{ paddingLeft: 12 + level * 16 }}>Loading…</p>;
  if (!files.data.length) return level === 0 ? <Empty title="No files"><p>Files logged with mlflow.log_artifact appear here.</p></Empty> : null;
  return (
    <ul>
      {[...files.data].sort(byKindAndName).map((file) => {
        const isOpen = file.is_dir && tree.open.has(file.path);
        const Icon = file.is_dir ? (isOpen ? FolderOpen : Folder) : icons[artifactKind(file.path)];
        return (
          <li key={file.path}>
            <div className="tree-row" data-current={file.path === tree.current} style={{ paddingLeft: level * 16 }}>
              {file.is_dir ? (
                <button type="button" className="tree-fold" aria-expanded={isOpen} aria-label={`Folder ${nameOf(file.path)}`} onClick={() => tree.onOpen(file.path, !isOpen)}>
                  {isOpen ? <ChevronDown size={13} /> : <ChevronRight size={13} />}
                </button>
              ) : (
                <span className="tree-fold" />
              )}
              <button type="button" className="tree-name" aria-current={file.path === tree.current ? "true" : undefined} onClick={() => tree.onChoose(file)}>
                <Icon size={14} aria-hidden="true" />
                <span className="ellipsis" title={file.path}>{nameOf(file.path)}</span>
                {file.is_dir ? null : <span className="muted push nowrap">{formatBytes(file.file_size ?? 0)}</span>}
              </button>
            </div>
            {isOpen ? <FolderOfTree path={file.path} level={level + 1} tree={tree} /> : null}
          </li>
        );
      })}
    </ul>
  );
}

interface PaneProps {
  path: string;
  source: ArtifactSource;
  modelId: string | undefined;
  canWrite: boolean;
  onOpen: (file: ArtifactFile) => void;
  onRegister: (source: ModelSource) => void;
}

/** A path of the URL says not whether it is a folder: its parent's listing does. */
function Chosen(props: PaneProps) {
  const { path, source } = props;
  const project = useProject();
  const parent = foldersAround(path).at(-1) ?? "";
  const siblings = useQuery(folderQuery(project, source, parent));
  if (siblings.error) return <div style={{ padding: 20 }}><ErrorNote error={siblings.error} /></div>;
  if (siblings.isPending) return <SkeletonRows count={5} />;
  const file = siblings.data.find((candidate) => candidate.path === path);
  if (!file) return <Empty title="There is no such file"><p>{path} is not among the files of this run. It may have been deleted.</p></Empty>;
  if (file.is_dir) return <FolderPane {...props} />;
  return <ArtifactPreview path={path} sizeBytes={file.file_size ?? 0} url={source.url(path)} />;
}

function FolderPane({ path, source, modelId, canWrite, onOpen, onRegister }: PaneProps) {
  const project = useProject();
  const files = useQuery(folderQuery(project, source, path));
  const holdsModel = files.data?.some((file) => nameOf(file.path) === "MLmodel") ?? false;
  const uri = source.modelUri(path);
  const bytes = files.data?.reduce((sum, file) => sum + (file.file_size ?? 0), 0) ?? 0;
  return (
    <div className="stack" style={{ padding: "12px 20px 20px" }}>
      <div className="row">
        <strong className="ellipsis">{path || source.label}</strong>
        {files.data ? <span className="muted nowrap">{plural(files.data.length, "entry", "entries")}, {formatBytes(bytes)} here</span> : null}
        {holdsModel && canWrite ? (
          <Button size="small" className="push" onClick={() => onRegister({ uri, label: path || source.label, modelId })}>
            Register model…
          </Button>
        ) : null}
      </div>
      {holdsModel ? <Snippet label="Copy how to load this model" code={loadModelSnippet(uri)} /> : null}
      {files.error ? <ErrorNote error={files.error} /> : null}
      {files.isPending ? <SkeletonRows count={4} /> : null}
      <table className="table inset">
        <tbody>
          {[...(files.data ?? [])].sort(byKindAndName).map((file) => (
            <tr key={file.path}>
              <td className="wide ellipsis">
                <button type="button" className="link-button" onClick={() => onOpen(file)}>{nameOf(file.path)}{file.is_dir ? "/" : ""}</button>
              </td>
              <td className="number secondary nowrap">{file.is_dir ? "" : formatBytes(file.file_size ?? 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
