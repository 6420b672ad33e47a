// The files of a ref: folders, files, one file; on a branch they can be marked and deleted, and new ones dropped in.
import { useQuery } from "@tanstack/react-query";
import { File, Folder, Trash2 } from "lucide-react";
import { useState } from "react";
import { native } from "../../api/native";
import { AppLink, useProject, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { writeView } from "../../app/url-state";
import { Button } from "../../components/button";
import { Empty, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatBytes, plural } from "../../components/format";
import { Ago } from "../../components/time";
import { ArtifactPreview } from "../run/artifact-preview";
import { DeletePaths } from "./delete-paths";
import { folderQuery } from "./queries";
import { DropTarget } from "./upload-panel";
import { foldersOf, lastPart, repositoryView } from "./view";

interface Part {
  repository: string;
  revision: string;
}

/** Files of a ref; `canChange` on a branch for whoever may write. */
export function Files({ repository, revision, canChange }: Part & { canChange: boolean }) {
  const project = useProject();
  const [view, setView] = useView(repositoryView);
  const [isDeleting, setDeleting] = useState(false);
  const page = useQuery(folderQuery(project, repository, revision, view.folder, view.pageToken));
  const href = (patch: { folder?: string; file?: string }) =>
    paths.repository(project, repository, writeView(repositoryView, { ...view, file: undefined, pageToken: undefined, selected: [], ...patch }));
  const crumbs = (
    <nav className="row data-crumbs" aria-label="Folder">
      {view.folder || view.file ? <AppLink href={href({ folder: "" })}>{repository}</AppLink> : <span className="crumb-here">{repository}</span>}
      {foldersOf(view.folder).map((folder) => (
        <span key={folder} className="row">
          <span className="muted" aria-hidden="true">/</span>
          {folder === view.folder && !view.file ? <span className="crumb-here">{lastPart(folder)}</span> : <AppLink href={href({ folder })}>{lastPart(folder)}</AppLink>}
        </span>
      ))}
      {view.file ? <span className="row"><span className="muted" aria-hidden="true">/</span><span className="crumb-here">{lastPart(view.file)}</span></span> : null}
    </nav>
  );
  if (view.file) return <>{crumbs}<ShownFile repository={repository} revision={revision} path={view.file} /></>;
  const { objects = [], prefixes = [], next_page_token: next } = page.data ?? {};
  const shown = [...prefixes, ...objects.map(({ path }) => path)];
  const selected = canChange ? view.selected.filter((path) => path.startsWith(view.folder)) : [];
  const select = (paths: string[]) => setView({ selected: paths }, { replace: true });
  const mark = (path: string) =>
    canChange ? (
      <td className="mark-cell">
        <input
          type="checkbox"
          aria-label={`Mark ${lastPart(path)}`}
          checked={selected.includes(path)}
          onChange={(event) => select(event.target.checked ? [...selected, path] : selected.filter((other) => other !== path))}
        />
      </td>
    ) : null;
  const content = (
    <>
      {crumbs}
      {selected.length ? (
        <div className="row marked-bar" role="status">
          <span>{plural(selected.length, "entry", "entries")} marked</span>
          <Button size="small" variant="danger" icon={<Trash2 size={13} />} onClick={() => setDeleting(true)}>Delete…</Button>
          <Button size="small" variant="ghost" onClick={() => select([])}>Unmark</Button>
        </div>
      ) : null}
      {page.error ? <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div> : null}
      {page.isPending ? <SkeletonRows /> : null}
      {page.data && !objects.length && !prefixes.length ? <NoFiles repository={repository} revision={revision} folder={view.folder} /> : null}
      {objects.length || prefixes.length ? (
        <table className="table sticky">
          <thead>
            <tr>
              {canChange ? (
                <th className="mark-cell">
                  <input
                    type="checkbox"
                    aria-label="Mark all that is listed"
                    checked={shown.every((path) => selected.includes(path))}
                    onChange={(event) => select(event.target.checked ? [...new Set([...selected, ...shown])] : selected.filter((path) => !shown.includes(path)))}
                  />
                </th>
              ) : null}
              <th>Name</th>
              <th className="number">Size</th>
              <th className="number">Written</th>
            </tr>
          </thead>
          <tbody>
            {prefixes.map((folder) => (
              <tr key={folder}>
                {mark(folder)}
                <td className="wide"><span className="row"><Folder size={14} aria-hidden="true" /><AppLink href={href({ folder })}>{lastPart(folder)}</AppLink></span></td>
                <td />
                <td />
              </tr>
            ))}
            {objects.map((object) => (
              <tr key={object.path}>
                {mark(object.path)}
                <td className="wide"><span className="row"><File size={14} aria-hidden="true" /><AppLink href={href({ file: object.path })}>{lastPart(object.path)}</AppLink></span></td>
                <td className="number nowrap secondary">{formatBytes(object.size_bytes)}</td>
                <td className="number secondary"><Ago atMs={object.modified_at_ms} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {next ? <div className="row" style={{ padding: 20 }}><Button onClick={() => setView({ pageToken: next })}>More files</Button></div> : null}
      {isDeleting ? <DeletePaths repository={repository} branch={revision} selected={selected} onOpenChange={setDeleting} onDone={() => select([])} /> : null}
    </>
  );
  return canChange ? <DropTarget target={{ project, repository, branch: revision }} folder={view.folder}>{content}</DropTarget> : content;
}

function NoFiles({ repository, revision, folder }: Part & { folder: string }) {
  if (folder) return <Empty title="Nothing is in this folder" />;
  return (
    <Empty title={`No files on ${revision} yet`}>
      <p>Drop files or a folder here, put a folder into it with <code>lathe cp ./raw data://{repository}@{revision}/</code>, or use any S3 client.</p>
    </Empty>
  );
}

function ShownFile({ repository, revision, path }: Part & { path: string }) {
  const project = useProject();
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  // The listing of the folder knows the size; a prefix as long as the path finds this file first.
  const found = useQuery({
    queryKey: ["data", project, repository, "file", revision, path],
    queryFn: ({ signal }) => native.objects(project, repository, revision, { prefix: path, max_results: 1 }, signal),
  });
  if (found.error) return <div style={{ padding: 20 }}><ErrorNote error={found.error} /></div>;
  if (found.isPending) return <SkeletonRows />;
  const object = found.data.objects.find((candidate) => candidate.path === path);
  if (!object) return <Empty title="This file is not here"><p>{lastPart(path)} does not exist in {folder || "the root"} on {revision}.</p></Empty>;
  return (
    <div className="data-file">
      <ArtifactPreview path={path} sizeBytes={object.size_bytes} url={native.objectUrl(project, repository, revision, path)} />
    </div>
  );
}

