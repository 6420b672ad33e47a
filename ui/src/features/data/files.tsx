// The files of a ref: folders, files, one file; on a branch they can be marked and deleted, and new ones dropped in.
import { useQuery } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { AppLink, useProject, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { writeView } from "../../app/url-state";
import { Button } from "../../components/button";
import { Empty, LoadingBar, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { plural } from "../../components/format";
import { firstPage, TokenPager } from "../../components/token-pager";
import { DeletePaths } from "./delete-paths";
import { FolderTable } from "./folder-table";
import { marksIn, withMarks, type Marks } from "./marks";
import { PrefixField } from "./prefix-field";
import { folderQuery, stagedPace } from "./queries";
import { ShownFile } from "./shown-file";
import { DropTarget } from "./upload-panel";
import { folderOf, foldersOf, lastPart, repositoryView } from "./view";

interface Part {
  repository: string;
  revision: string;
}

interface FilesProps extends Part {
  isBranch: boolean;
  /** On a branch, for whoever may write. */
  canChange: boolean;
}

const noMarks: Marks = new Map();

export function Files({ repository, revision, isBranch, canChange }: FilesProps) {
  const project = useProject();
  const [view, setView] = useView(repositoryView);
  // Thousands of paths are too much for an address, so marks are not in it.
  const [marks, setMarks] = useState(noMarks);
  const [isDeleting, setDeleting] = useState(false);
  const page = useQuery({
    ...folderQuery(project, repository, revision, view.folder, view.prefix, view.pageToken),
    refetchInterval: isBranch ? stagedPace : false,
    enabled: !view.file,
  });
  const hrefOf = (patch: { folder?: string; file?: string }) =>
    paths.repository(project, repository, writeView(repositoryView, { ...view, ...firstPage, file: undefined, prefix: "", ...patch }));
  if (view.file) {
    return (
      <>
        <Crumbs repository={repository} folder={folderOf(view.file)} file={view.file} hrefOf={(folder) => hrefOf({ folder })} />
        <ShownFile repository={repository} revision={revision} path={view.file} />
      </>
    );
  }
  const { objects = [], prefixes = [], next_page_token: next } = page.data ?? {};
  const isEmpty = page.isSuccess && !page.isPlaceholderData && !objects.length && !prefixes.length;
  const selected = canChange ? marksIn(marks, view.folder) : [];
  const content = (
    <>
      <Crumbs repository={repository} folder={view.folder} hrefOf={(folder) => hrefOf({ folder })}>
        <PrefixField key={view.folder} label="Names that begin with" />
      </Crumbs>
      {selected.length ? (
        <div className="row marked-bar" role="status">
          <span>{plural(selected.length, "entry", "entries")} marked</span>
          <Button size="small" variant="danger" icon={<Trash2 size={13} />} onClick={() => setDeleting(true)}>Delete…</Button>
          <Button size="small" variant="ghost" onClick={() => setMarks(noMarks)}>Unmark</Button>
        </div>
      ) : null}
      {page.error ? <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div> : null}
      {page.isPending ? <SkeletonRows /> : null}
      {page.isPlaceholderData ? <LoadingBar /> : null}
      {isEmpty && !view.pageToken ? <NoFiles repository={repository} revision={revision} folder={view.folder} prefix={view.prefix} /> : null}
      {objects.length || prefixes.length ? (
        <FolderTable prefixes={prefixes} objects={objects} hrefOf={hrefOf} marks={marks} onMark={canChange ? (entries, isOn) => setMarks(withMarks(marks, entries, isOn)) : undefined} />
      ) : null}
      <TokenPager list={`files/${project}/${repository}/${revision}/${view.folder}/${view.prefix}`} at={view} nextToken={next} isWaiting={page.isPlaceholderData} isEmpty={isEmpty} onGo={setView} />
      {isDeleting ? <DeletePaths repository={repository} branch={revision} selected={selected} onOpenChange={setDeleting} onDone={() => setMarks(noMarks)} /> : null}
    </>
  );
  return canChange ? <DropTarget target={{ project, repository, branch: revision }} folder={view.folder}>{content}</DropTarget> : content;
}

interface CrumbsProps {
  repository: string;
  folder: string;
  file?: string;
  hrefOf: (folder: string) => string;
  children?: ReactNode;
}

function Crumbs({ repository, folder, file, hrefOf, children }: CrumbsProps) {
  return (
    <div className="row wrap data-crumbs">
      <nav className="row wrap" aria-label="Folder">
        {folder || file ? <AppLink href={hrefOf("")}>{repository}</AppLink> : <span className="crumb-here">{repository}</span>}
        {foldersOf(folder).map((around) => (
          <span key={around} className="row">
            <span className="muted" aria-hidden="true">/</span>
            {around === folder && !file ? <span className="crumb-here">{lastPart(around)}</span> : <AppLink href={hrefOf(around)}>{lastPart(around)}</AppLink>}
          </span>
        ))}
        {file ? <span className="row"><span className="muted" aria-hidden="true">/</span><span className="crumb-here">{lastPart(file)}</span></span> : null}
      </nav>
      {children ? <div className="push">{children}</div> : null}
    </div>
  );
}

function NoFiles({ repository, revision, folder, prefix }: Part & { folder: string; prefix: string }) {
  if (prefix) return <Empty title={`No name in ${folder || "the root"} begins with ${prefix}`} />;
  if (folder) return <Empty title="Nothing is in this folder" />;
  return (
    <Empty title={`No files on ${revision} yet`}>
      <p>Drop files or a folder here, put a folder into it with <code>lathe cp ./raw data://{repository}@{revision}/</code>, or use any S3 client.</p>
    </Empty>
  );
}
