import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ArrowLeftRight, Code, GitBranch, GitCommitHorizontal, Tag, Undo2 } from "lucide-react";
import { useState } from "react";
import { AppLink, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanWrite } from "../app/session";
import { writeView } from "../app/url-state";
import { Button } from "../components/button";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { Segmented } from "../components/fields";
import { formatBytes, formatCount } from "../components/format";
import { PageHead, PageWait } from "../components/page";
import { Popover } from "../components/popover";
import { Ago } from "../components/time";
import { ChangeList } from "../features/data/change-list";
import "../features/data/data.css";
import { CommitChanges, CreateRef, DiscardChanges } from "../features/data/dialogs";
import { Files } from "../features/data/files";
import { changesQuery, logQuery, refsQuery, repositoryQuery } from "../features/data/queries";
import { RefSelect } from "../features/data/ref-select";
import { DataSnippets } from "../features/data/snippets";
import { UploadButton, UploadPanel } from "../features/data/upload-panel";
import { repositoryView, shortCommit, type RepositoryTab } from "../features/data/view";
import "../features/run/run.css";

type Dialog = "branch" | "tag" | "commit" | "discard" | undefined;

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
  const crumbs = <AppLink href={paths.data(project)}>Data</AppLink>;
  if (error || !revision || !refs.data) return <PageWait title={name} crumbs={crumbs} error={error} />;

  const choose = (next: string) => setView({ revision: next, folder: "", file: undefined, pageToken: undefined, selected: [] });
  const canChange = isBranch && canWrite;
  const target = { project, repository: name, branch: revision };
  // Seen from the default branch, what another ref holds is what a merge would bring.
  const compareSearch: Record<string, string> = revision === repository.data?.default_branch ? {} : { to: revision };
  const close = () => setDialog(undefined);
  const tabs: { value: RepositoryTab; label: string }[] = [
    { value: "files", label: "Files" },
    ...(isBranch ? [{ value: "changes" as const, label: "Not committed" }] : []),
    { value: "commits", label: "Commits" },
  ];
  const tab = tabs.some(({ value }) => value === view.tab) ? view.tab : "files";
  return (
    <>
      <PageHead title={name} crumbs={crumbs}>
        <AppLink className="button" href={paths.compareData(project, name, compareSearch)}><ArrowLeftRight size={14} aria-hidden="true" /> Compare and merge</AppLink>
        {canWrite ? (
          <>
            <Button icon={<GitBranch size={14} />} onClick={() => setDialog("branch")}>New branch</Button>
            <Button icon={<Tag size={14} />} onClick={() => setDialog("tag")}>New tag</Button>
            {canChange ? <UploadButton target={target} folder={view.folder} /> : null}
            {canChange ? <Button variant="primary" icon={<GitCommitHorizontal size={14} />} onClick={() => setDialog("commit")}>Commit</Button> : null}
          </>
        ) : null}
      </PageHead>
      <div className="toolbar">
        <RefSelect label="Branch, tag or commit" refs={refs.data} value={revision} canType onChange={choose} />
        <Segmented label="What to show" value={tab} options={tabs} onChange={(next) => setView({ tab: next, pageToken: undefined })} />
        {repository.data ? (
          <Popover align="start" width={520} label="Use it in code" trigger={<Button icon={<Code size={14} />}>Use in code</Button>}>
            <DataSnippets repository={repository.data} revision={revision} path={view.file ?? view.folder} />
          </Popover>
        ) : null}
        {repository.data?.description ? <span className="secondary ellipsis">{repository.data.description}</span> : null}
      </div>
      <div className="page-body flush">
        {tab === "files" ? <Files repository={name} revision={revision} canChange={canChange} /> : null}
        {tab === "changes" ? <Uncommitted repository={name} branch={revision} onDiscard={canWrite ? () => setDialog("discard") : undefined} /> : null}
        {tab === "commits" ? <Commits repository={name} revision={revision} /> : null}
      </div>
      {canChange ? <UploadPanel target={target} /> : null}
      {dialog === "discard" ? <DiscardChanges repository={name} revision={revision} onOpenChange={close} /> : null}
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

function Uncommitted({ repository, branch, onDiscard }: { repository: string; branch: string; onDiscard?: () => void }) {
  const project = useProject();
  const [view, setView] = useView(repositoryView);
  const page = useQuery(changesQuery(project, repository, branch, view.pageToken));
  if (page.error) return <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div>;
  if (page.isPending) return <SkeletonRows />;
  if (!page.data.changes.length) return <Empty title={`Everything on ${branch} is committed`} />;
  const hrefOf = (path: string) => paths.repository(project, repository, writeView(repositoryView, { ...view, tab: "files", file: path, pageToken: undefined }));
  return (
    <>
      {onDiscard ? <div className="row data-crumbs"><Button size="small" icon={<Undo2 size={13} />} onClick={onDiscard}>Discard all…</Button></div> : null}
      <ChangeList changes={page.data.changes} hrefOf={hrefOf} />
      {page.data.next_page_token ? <div className="row" style={{ padding: 20 }}><Button onClick={() => setView({ pageToken: page.data.next_page_token })}>More changes</Button></div> : null}
    </>
  );
}

function Commits({ repository, revision }: { repository: string; revision: string }) {
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
