import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { ArrowLeftRight, FolderOpen, Undo2 } from "lucide-react";
import { useState } from "react";
import { AppLink, useGo, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanWrite } from "../app/session";
import { Button } from "../components/button";
import { CopyButton } from "../components/copy";
import { Empty, LoadingBar, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { formatBytes, plural } from "../components/format";
import { PageHead, PageWait, Section } from "../components/page";
import { Ago } from "../components/time";
import { TokenPager } from "../components/token-pager";
import { ChangeList } from "../features/data/change-list";
import { CommitAuthor } from "../features/data/commit-author";
import "../features/data/data.css";
import { RevertCommit } from "../features/data/merge-dialogs";
import { commitQuery, diffQuery, diffSummaryQuery, repositoryQuery } from "../features/data/queries";
import { DataSnippets } from "../features/data/snippets";
import { commitView, shortCommit } from "../features/data/view";
import { LineagePanel } from "../features/lineage/lineage-panel";
import { MadeBy } from "../features/lineage/made-by";
import { UsedBy } from "../features/lineage/used-by";

export default function CommitPage() {
  const project = useProject();
  const { name, commit: id } = useParams({ strict: false }) as { name: string; commit: string };
  const [view, setView] = useView(commitView);
  const go = useGo();
  const canWrite = useCanWrite();
  const [isReverting, setReverting] = useState(false);
  const found = useQuery(commitQuery(project, name, id));
  const repository = useQuery(repositoryQuery(project, name));
  const parent = found.data?.parents[0];
  const diff = useQuery({ ...diffQuery(project, name, parent ?? id, id, view.pageToken), enabled: found.data !== undefined });
  const summary = useQuery({ ...diffSummaryQuery(project, name, parent ?? id, id), enabled: found.data !== undefined });
  const crumbs = (
    <>
      <AppLink href={paths.data(project)}>Data</AppLink>
      <span aria-hidden="true">/</span>
      <AppLink href={paths.repository(project, name, { tab: "commits" })}>{name}</AppLink>
    </>
  );
  if (!found.data) return <PageWait title={`${name}@${shortCommit(id)}`} crumbs={crumbs} error={found.error} />;
  const commit = found.data;
  const { changes = [], next_page_token: next } = diff.data ?? {};
  const total = summary.data?.total;
  const isEmpty = diff.isSuccess && !changes.length;
  return (
    <>
      <PageHead
        title={`${name}@${shortCommit(commit.id)}`}
        heading={commit.message}
        crumbs={crumbs}
      >
        {canWrite && parent ? <Button icon={<Undo2 size={14} />} onClick={() => setReverting(true)}>Revert…</Button> : null}
        {parent ? <AppLink className="button" href={paths.compareData(project, name, { from: parent, to: commit.id })}><ArrowLeftRight size={14} aria-hidden="true" /> Compare</AppLink> : null}
        <AppLink className="button" href={paths.repository(project, name, { ref: commit.id })}><FolderOpen size={14} aria-hidden="true" /> Browse its files</AppLink>
      </PageHead>
      <div className="page-body stack">
        <p className="secondary row wrap">
          <code>{shortCommit(commit.id)}</code>
          <CopyButton text={commit.id} label="Copy the commit's id" />
          <span><CommitAuthor commit={commit} />, <Ago atMs={commit.at_ms} /></span>
          <span>{plural(commit.paths, "file")}, {formatBytes(commit.size_bytes)}</span>
          {commit.parents.map((each) => (
            <span key={each}>{commit.parents.length > 1 ? "merged from" : "after"} <AppLink href={paths.commit(project, name, each)}><code>{shortCommit(each)}</code></AppLink></span>
          ))}
        </p>
        <Section title="Changes" count={total && total.added + total.changed + total.removed}>
          {diff.error ? <ErrorNote error={diff.error} /> : null}
          {diff.isPending ? <SkeletonRows count={3} /> : null}
          {diff.isPlaceholderData ? <LoadingBar /> : null}
          {isEmpty && !view.pageToken ? <Empty title={parent ? "It changed no files" : "The first commit: it holds nothing"} /> : null}
          {changes.length ? <ChangeList isInset changes={changes} hrefOf={(path) => paths.repository(project, name, { ref: commit.id, file: path })} /> : null}
          <TokenPager list={`commit/${project}/${name}/${id}`} at={view} nextToken={next} isWaiting={diff.isPlaceholderData} isEmpty={isEmpty} onGo={setView} />
        </Section>
        <MadeBy name={`${project}/data/${name}@${commit.id}`} />
        <UsedBy name={`${project}/data/${name}@${commit.id}`} />
        {repository.data ? (
          <Section title="Use it in code">
            <DataSnippets repository={repository.data} revision={shortCommit(commit.id)} path="" />
          </Section>
        ) : null}
        <Section title="Lineage">
          <LineagePanel name={`${project}/data/${name}@${commit.id}`} direction={view.direction} depth={view.depth} onChange={(patch) => setView(patch, { replace: true })} />
        </Section>
      </div>
      {isReverting ? <RevertCommit repository={name} commit={commit} onOpenChange={setReverting} onDone={(made) => go(paths.commit(project, name, made.id))} /> : null}
    </>
  );
}
