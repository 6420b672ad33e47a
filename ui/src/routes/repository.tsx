import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { File, Folder, GitBranch, GitCommitHorizontal, Tag } from "lucide-react";
import { useState } from "react";
import { native } from "../api/native";
import { AppLink, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanWrite } from "../app/session";
import { writeView } from "../app/url-state";
import { Button } from "../components/button";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { Segmented } from "../components/fields";
import { formatBytes, formatCount } from "../components/format";
import { PageHead } from "../components/page";
import { Ago } from "../components/time";
import { ChangeList } from "../features/data/change-list";
import "../features/data/data.css";
import { CommitChanges, CreateRef } from "../features/data/dialogs";
import { changesQuery, folderQuery, logQuery, refsQuery, repositoryQuery } from "../features/data/queries";
import { foldersOf, lastPart, repositoryView, shortCommit, type RepositoryTab } from "../features/data/view";
import { ArtifactPreview } from "../features/run/artifact-preview";
import "../features/run/run.css";

type Dialog = "branch" | "tag" | "commit" | undefined;

export default function RepositoryPage() {
  const project = useProject();
  const { name } = useParams({ strict: false }) as { name: string };
  const canWrite = useCanWrite();
  const [view, setView] = useView(repositoryView);
  const [dialog, setDialog] = useState<Dialog>();
  const repository = useQuery(repositoryQuery(project, name));
  const refs = useQuery(refsQuery(project, name));
  const revision = view.revision ?? repository.data?.default_branch;
  const isBranch = refs.data?.branches.some((branch) => branch.name === revision) ?? false;
  const error = repository.error ?? refs.error;
  if (error) return <div className="page-body stack"><ErrorNote error={error} /></div>;
  if (!revision || !refs.data) return <SkeletonRows />;

  const isNamed = isBranch || refs.data.tags.some((tag) => tag.name === revision);
  const choose = (next: string) => setView({ revision: next, folder: "", file: undefined, pageToken: undefined });
  const close = () => setDialog(undefined);
  const tabs: { value: RepositoryTab; label: string }[] = [
    { value: "files", label: "Files" },
    ...(isBranch ? [{ value: "changes" as const, label: "Not committed" }] : []),
    { value: "commits", label: "Commits" },
  ];
  const tab = tabs.some(({ value }) => value === view.tab) ? view.tab : "files";
  return (
    <>
      <PageHead title={name} crumbs={<AppLink href={paths.data(project)}>Data</AppLink>}>
        {canWrite ? (
          <>
            <Button icon={<GitBranch size={14} />} onClick={() => setDialog("branch")}>New branch</Button>
            <Button icon={<Tag size={14} />} onClick={() => setDialog("tag")}>New tag</Button>
            {isBranch ? <Button variant="primary" icon={<GitCommitHorizontal size={14} />} onClick={() => setDialog("commit")}>Commit</Button> : null}
          </>
        ) : null}
      </PageHead>
      <div className="toolbar">
        <select className="select" aria-label="Branch, tag or commit" value={revision} onChange={(event) => choose(event.target.value)}>
          {isNamed ? null : <option value={revision}>Commit {shortCommit(revision)}</option>}
          <optgroup label="Branches">
            {refs.data.branches.map((branch) => <option key={branch.name} value={branch.name}>{branch.name}</option>)}
          </optgroup>
          {refs.data.tags.length ? (
            <optgroup label="Tags">
              {refs.data.tags.map((tag) => <option key={tag.name} value={tag.name}>{tag.name}</option>)}
            </optgroup>
          ) : null}
        </select>
        <Segmented label="What to show" value={tab} options={tabs} onChange={(next) => setView({ tab: next, pageToken: undefined })} />
        {repository.data?.description ? <span className="secondary ellipsis">{repository.data.description}</span> : null}
      </div>
      <div className="page-body flush">
        {tab === "files" ? <Files repository={name} revision={revision} /> : null}
        {tab === "changes" ? <Uncommitted repository={name} branch={revision} /> : null}
        {tab === "commits" ? <Commits repository={name} revision={revision} /> : null}
      </div>
      {dialog === "commit" ? <CommitChanges repository={name} revision={revision} onOpenChange={close} /> : null}
      {dialog === "branch" || dialog === "tag" ? (
        <CreateRef
          repository={name}
          revision={revision}
          kind={dialog}
          onOpenChange={close}
          onDone={(made) => {
            close();
            choose(made);
          }}
        />
      ) : null}
    </>
  );
}

interface Part {
  repository: string;
  revision: string;
}

function Files({ repository, revision }: Part) {
  const project = useProject();
  const [view, setView] = useView(repositoryView);
  const page = useQuery(folderQuery(project, repository, revision, view.folder, view.pageToken));
  const href = (patch: { folder?: string; file?: string }) =>
    paths.repository(project, repository, writeView(repositoryView, { ...view, file: undefined, pageToken: undefined, ...patch }));
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
  return (
    <>
      {crumbs}
      {page.error ? <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div> : null}
      {page.isPending ? <SkeletonRows /> : null}
      {page.data && !objects.length && !prefixes.length ? <NoFiles repository={repository} revision={revision} folder={view.folder} /> : null}
      {objects.length || prefixes.length ? (
        <table className="table sticky">
          <thead>
            <tr>
              <th>Name</th>
              <th className="number">Size</th>
              <th className="number">Written</th>
            </tr>
          </thead>
          <tbody>
            {prefixes.map((folder) => (
              <tr key={folder}>
                <td className="wide"><span className="row"><Folder size={14} aria-hidden="true" /><AppLink href={href({ folder })}>{lastPart(folder)}</AppLink></span></td>
                <td />
                <td />
              </tr>
            ))}
            {objects.map((object) => (
              <tr key={object.path}>
                <td className="wide"><span className="row"><File size={14} aria-hidden="true" /><AppLink href={href({ file: object.path })}>{lastPart(object.path)}</AppLink></span></td>
                <td className="number nowrap secondary">{formatBytes(object.size_bytes)}</td>
                <td className="number secondary"><Ago atMs={object.modified_at_ms} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      {next ? <div className="row" style={{ padding: 20 }}><Button onClick={() => setView({ pageToken: next })}>More files</Button></div> : null}
    </>
  );
}

function NoFiles({ repository, revision, folder }: Part & { folder: string }) {
  if (folder) return <Empty title="Nothing is in this folder" />;
  return (
    <Empty title={`No files on ${revision} yet`}>
      <p>Put a folder into it with <code>lathe cp ./raw data://{repository}@{revision}/</code>, or with any S3 client.</p>
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

function Uncommitted({ repository, branch }: { repository: string; branch: string }) {
  const project = useProject();
  const [view, setView] = useView(repositoryView);
  const page = useQuery(changesQuery(project, repository, branch, view.pageToken));
  if (page.error) return <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div>;
  if (page.isPending) return <SkeletonRows />;
  if (!page.data.changes.length) return <Empty title={`Everything on ${branch} is committed`} />;
  const hrefOf = (path: string) => paths.repository(project, repository, writeView(repositoryView, { ...view, tab: "files", file: path, pageToken: undefined }));
  return (
    <>
      <ChangeList changes={page.data.changes} hrefOf={hrefOf} />
      {page.data.next_page_token ? <div className="row" style={{ padding: 20 }}><Button onClick={() => setView({ pageToken: page.data.next_page_token })}>More changes</Button></div> : null}
    </>
  );
}

function Commits({ repository, revision }: Part) {
  const project = useProject();
  const [view, setView] = useView(repositoryView);
  const page = useQuery(logQuery(project, repository, revision, view.pageToken));
  if (page.error) return <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div>;
  if (page.isPending) return <SkeletonRows />;
  return (
    <>
      <table className="table sticky">
        <thead>
          <tr>
            <th>Commit</th>
            <th>Message</th>
            <th>Author</th>
            <th className="number">Files</th>
            <th className="number">Size</th>
            <th className="number">Made</th>
          </tr>
        </thead>
        <tbody>
          {page.data.commits.map((commit) => (
            <tr key={commit.id}>
              <td className="nowrap"><AppLink href={paths.commit(project, repository, commit.id)}><code>{shortCommit(commit.id)}</code></AppLink></td>
              <td className="wide ellipsis">{commit.message}</td>
              <td className="nowrap secondary">{commit.author}</td>
              <td className="number secondary">{formatCount(commit.paths)}</td>
              <td className="number nowrap secondary">{formatBytes(commit.size_bytes)}</td>
              <td className="number secondary"><Ago atMs={commit.at_ms} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {page.data.next_page_token ? <div className="row" style={{ padding: 20 }}><Button onClick={() => setView({ pageToken: page.data.next_page_token })}>Older commits</Button></div> : null}
    </>
  );
}
