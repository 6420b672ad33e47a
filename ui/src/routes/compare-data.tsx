import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ArrowLeftRight, GitMerge, X } from "lucide-react";
import { native, type ChangeCounts, type ChangeSummary } from "../api/native";
import { AppLink, useGo, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanWrite } from "../app/session";
import { writeView } from "../app/url-state";
import { useDraft } from "../app/use-draft";
import { Button, IconButton } from "../components/button";
import { Empty, LoadingBar, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { SearchField } from "../components/fields";
import { formatBytes, formatCount } from "../components/format";
import { PageHead, PageWait } from "../components/page";
import { firstPage, TokenPager } from "../components/token-pager";
import { ChangeList } from "../features/data/change-list";
import { ContentDiff } from "../features/data/content-diff";
import "../features/data/data.css";
import { MergeRef } from "../features/data/merge-dialogs";
import { diffQuery, diffSummaryQuery, refsQuery, repositoryQuery } from "../features/data/queries";
import { RefSelect } from "../features/data/ref-select";
import { useDataChanges } from "../features/data/use-data-changes";
import { compareDataView } from "../features/data/view";
import "../features/run/run.css";

export default function CompareDataPage() {
  const project = useProject();
  const go = useGo();
  const { name } = useParams({ strict: false }) as { name: string };
  const canWrite = useCanWrite();
  const [view, setView] = useView(compareDataView);
  const repository = useQuery(repositoryQuery(project, name));
  const refs = useQuery(refsQuery(project, name));
  const [prefix, setPrefix] = useDraft(view.prefix, (text) => setView({ prefix: text, ...firstPage, file: undefined }, { replace: true }));
  useDataChanges(project, name);
  const crumbs = (
    <>
      <AppLink href={paths.data(project)}>Data</AppLink>
      <span aria-hidden="true">/</span>
      <AppLink href={paths.repository(project, name)}>{name}</AppLink>
    </>
  );
  if (!repository.data || !refs.data) return <PageWait title={`Compare in ${name}`} crumbs={crumbs} error={repository.error ?? refs.error} />;

  const from = view.from ?? repository.data.default_branch;
  const to = view.to;
  const canMerge = canWrite && to !== undefined && to !== from && (refs.data.isCut || refs.data.branches.some((branch) => branch.name === from));
  const choose = (patch: { from?: string; to?: string }) => setView({ ...patch, ...firstPage, file: undefined });
  return (
    <>
      <PageHead
        title={`Compare in ${name}`}
        heading="Compare"
        crumbs={crumbs}
      >
        {canMerge ? <Button variant="primary" icon={<GitMerge size={14} />} onClick={() => setView({ isMerging: true })}>Merge into {from}…</Button> : null}
      </PageHead>
      <div className="toolbar">
        <span className="secondary">From</span>
        <RefSelect label="From" refs={refs.data} value={from} canType onChange={(ref) => choose({ from: ref })} />
        <IconButton label="Swap the two" icon={<ArrowLeftRight size={14} />} disabled={!to} onClick={() => choose({ from: to, to: from })} />
        <span className="secondary">to</span>
        <RefSelect label="To" refs={refs.data} value={to} canType onChange={(ref) => choose({ to: ref })} />
        <SearchField label="Paths that begin with" value={prefix} onChange={setPrefix} style={{ width: 240 }} />
      </div>
      <div className="page-body flush">
        {to === undefined ? <Empty title="Choose what to compare with"><p>A branch, a tag or a commit: every file that differs is listed, with its size before and after.</p></Empty> : null}
        {to !== undefined ? <Compared repository={name} from={from} to={to} /> : null}
      </div>
      {view.isMerging && to !== undefined ? (
        <MergeRef
          repository={name}
          source={to}
          dest={from}
          onOpenChange={(open) => (open ? undefined : setView({ isMerging: false }, { replace: true }))}
          onDone={(commit) => go(paths.commit(project, name, commit.id))}
        />
      ) : null}
    </>
  );
}

function Compared({ repository, from, to }: { repository: string; from: string; to: string }) {
  const project = useProject();
  const [view, setView] = useView(compareDataView);
  const summary = useQuery(diffSummaryQuery(project, repository, from, to, view.prefix));
  const page = useQuery(diffQuery(project, repository, from, to, view.pageToken, view.prefix));
  if (page.error) return <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div>;
  if (page.isPending) return <SkeletonRows />;
  const { changes, next_page_token: next } = page.data;
  const isEmpty = !changes.length;
  if (isEmpty && !view.pageToken) {
    return <Empty title={view.prefix ? `Nothing below ${view.prefix} differs` : `${from} and ${to} hold the same files`} />;
  }
  const hrefOf = (path: string) => paths.compareData(project, repository, writeView(compareDataView, { ...view, from, to, file: path }));
  return (
    <div className="compared">
      {page.isPlaceholderData ? <LoadingBar /> : null}
      {summary.data ? <Totals summary={summary.data} onPrefix={(prefix) => setView({ ...firstPage, prefix, file: undefined })} /> : null}
      <div className={view.file ? "compared-files split" : "compared-files"}>
        <div className="compared-list">
          <ChangeList changes={changes} hrefOf={hrefOf} current={view.file} isComparing />
          <TokenPager list={`compare/${project}/${repository}/${from}/${to}/${view.prefix}`} at={view} nextToken={next} isWaiting={page.isPlaceholderData} isEmpty={isEmpty} onGo={setView} />
        </div>
        {view.file ? <FileDiff key={view.file} repository={repository} from={from} to={to} path={view.file} onClose={() => setView({ file: undefined })} /> : null}
      </div>
    </div>
  );
}

function FileDiff({ repository, from, to, path, onClose }: { repository: string; from: string; to: string; path: string; onClose: () => void }) {
  const project = useProject();
  // The file may be on another page of the list; a prefix as long as its path finds it first.
  const found = useQuery({
    queryKey: ["data", project, repository, "diff-file", from, to, path],
    queryFn: ({ signal }) => native.diff(project, repository, { from, to, prefix: path, max_results: 1 }, signal),
  });
  const change = found.data?.changes.find((candidate) => candidate.path === path);
  return (
    <article className="file-diff" aria-label={path}>
      <header className="row">
        <strong className="ellipsis" title={path}>{path}</strong>
        {change?.after ? <AppLink className="nowrap" href={paths.repository(project, repository, { ref: to, file: path })}>Open</AppLink> : null}
        <span className="push"><IconButton size="small" label="Close the comparison of this file" icon={<X size={14} />} onClick={onClose} /></span>
      </header>
      {found.error ? <div className="diff-note"><ErrorNote error={found.error} /></div> : null}
      {found.isPending ? <SkeletonRows count={4} /> : null}
      {found.data && !change ? <p className="secondary diff-note">This file is the same on both sides.</p> : null}
      {change ? <ContentDiff repository={repository} from={from} to={to} change={change} /> : null}
    </article>
  );
}

function Totals({ summary: { total, folders, truncated }, onPrefix }: { summary: ChangeSummary; onPrefix: (prefix: string) => void }) {
  return (
    <div className="compared-totals">
      <p className="row wrap">
        <Counts counts={total} />
        <span className="secondary">{formatBytes(total.bytes_before)} before, {formatBytes(total.bytes_after)} after</span>
      </p>
      {folders.length > 1 ? (
        <details>
          <summary>By folder ({formatCount(folders.length)}{truncated ? " named, and more" : ""})</summary>
          <ul className="compared-folders">
            {folders.map(({ folder, counts }) => (
              <li key={folder} className="row">
                <Button size="small" variant="ghost" onClick={() => onPrefix(folder)} disabled={!folder}><code>{folder || "(root)"}</code></Button>
                <Counts counts={counts} />
              </li>
            ))}
          </ul>
        </details>
      ) : null}
    </div>
  );
}

function Counts({ counts: { added, changed, removed } }: { counts: Pick<ChangeCounts, "added" | "changed" | "removed"> }) {
  return (
    <span className="row">
      <span className={added ? "change-added" : ""}>+{formatCount(added)} added</span>
      <span>{formatCount(changed)} changed</span>
      <span className={removed ? "change-removed" : ""}>−{formatCount(removed)} removed</span>
    </span>
  );
}
