import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ArrowLeftRight, Code, GitBranch, GitCommitHorizontal, Tag } from "lucide-react";
import { useState } from "react";
import { AppLink, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanManage, useCanWrite } from "../app/session";
import { Button } from "../components/button";
import { Segmented } from "../components/fields";
import { formatCount } from "../components/format";
import { PageHead, PageWait } from "../components/page";
import { Popover } from "../components/popover";
import { firstPage } from "../components/token-pager";
import { Commits } from "../features/data/commits";
import "../features/data/data.css";
import { DeleteRef } from "../features/data/delete-ref";
import { CommitChanges, CreateRef } from "../features/data/dialogs";
import { Files } from "../features/data/files";
import { refsQuery, repositoryQuery } from "../features/data/queries";
import { RefMenu } from "../features/data/ref-menu";
import { RefSelect } from "../features/data/ref-select";
import { DataSnippets } from "../features/data/snippets";
import { Uncommitted } from "../features/data/uncommitted";
import { UploadButton, UploadPanel } from "../features/data/upload-panel";
import { useDataChanges } from "../features/data/use-data-changes";
import { useShownRef } from "../features/data/use-shown-ref";
import { folderOf, repositoryView, type RepositoryTab } from "../features/data/view";
import "../features/run/run.css";

type Dialog = "branch" | "tag" | "commit" | "delete" | undefined;

/** What is marked, typed and opened on the page of one repository is not that of another. */
export default function RepositoryPage() {
  const project = useProject();
  const { name } = useParams({ strict: false }) as { name: string };
  return <NamedRepository key={`${project}/${name}`} name={name} />;
}

function NamedRepository({ name }: { name: string }) {
  const project = useProject();
  const canWrite = useCanWrite();
  const canManage = useCanManage();
  const [view, setView] = useView(repositoryView);
  const [dialog, setDialog] = useState<Dialog>();
  const repository = useQuery(repositoryQuery(project, name));
  const refs = useQuery(refsQuery(project, name));
  const revision = view.revision ?? repository.data?.default_branch;
  useDataChanges(project, name);
  const { kind, changes } = useShownRef(project, name, revision ?? "", refs.data, view.tab === "changes");
  const isBranch = kind === "branch";
  const crumbs = <AppLink href={paths.data(project)}>Data</AppLink>;
  if (!revision || !repository.data || !refs.data) return <PageWait title={name} crumbs={crumbs} error={repository.error ?? refs.error} />;

  const { default_branch: defaultBranch } = repository.data;
  const choose = (next: string) => setView({ ...firstPage, revision: next, folder: "", file: undefined, prefix: "" });
  const canChange = isBranch && canWrite;
  const folder = view.file ? folderOf(view.file) : view.folder;
  const target = { project, repository: name, branch: revision };
  // Seen from the default branch, what another ref holds is what a merge would bring.
  const isDefault = revision === defaultBranch;
  const compareSearch: Record<string, string> = isDefault ? {} : { to: revision };
  const close = () => setDialog(undefined);
  const leaveFor = (next: string) => {
    close();
    choose(next);
  };
  const tabs: { value: RepositoryTab; label: string }[] = [
    { value: "files", label: "Files" },
    ...(isBranch ? [{ value: "changes" as const, label: changes ? `Not committed (${formatCount(changes)})` : "Not committed" }] : []),
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
            {canChange ? <UploadButton target={target} folder={folder} /> : null}
            {canChange ? <Button variant="primary" icon={<GitCommitHorizontal size={14} />} onClick={() => setDialog("commit")}>Commit</Button> : null}
          </>
        ) : null}
      </PageHead>
      <div className="toolbar">
        <RefSelect label="Branch, tag or commit" refs={refs.data} value={revision} canType onChange={choose} />
        {kind && canManage ? <RefMenu kind={kind} name={revision} isDefault={isDefault} onDelete={() => setDialog("delete")} /> : null}
        <Segmented label="What to show" value={tab} options={tabs} onChange={(next) => setView({ ...firstPage, tab: next, prefix: "" })} />
        <Popover align="start" width={520} label="Use it in code" trigger={<Button icon={<Code size={14} />}>Use in code</Button>}>
          <DataSnippets repository={repository.data} revision={revision} path={view.file ?? folder} />
        </Popover>
        {repository.data.description ? <span className="secondary ellipsis">{repository.data.description}</span> : null}
      </div>
      <div className="page-body flush">
        {tab === "files" ? <Files key={revision} repository={name} revision={revision} isBranch={isBranch} canChange={canChange} /> : null}
        {tab === "changes" ? <Uncommitted key={revision} repository={name} branch={revision} /> : null}
        {tab === "commits" ? <Commits repository={name} revision={revision} /> : null}
      </div>
      {canChange ? <UploadPanel target={target} /> : null}
      {dialog === "delete" && kind ? <DeleteRef repository={name} kind={kind} name={revision} onOpenChange={close} onDone={() => leaveFor(defaultBranch)} /> : null}
      {dialog === "commit" ? <CommitChanges repository={name} revision={revision} onOpenChange={close} /> : null}
      {dialog === "branch" || dialog === "tag" ? <CreateRef repository={name} revision={revision} kind={dialog} onOpenChange={close} onDone={leaveFor} /> : null}
    </>
  );
}
