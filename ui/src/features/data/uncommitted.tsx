import { useQuery } from "@tanstack/react-query";
import { Undo2 } from "lucide-react";
import { useState } from "react";
import { useProject, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { useCanManage } from "../../app/session";
import { writeView } from "../../app/url-state";
import { Button } from "../../components/button";
import { Empty, LoadingBar, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { firstPage, TokenPager } from "../../components/token-pager";
import { ChangeList } from "./change-list";
import { DiscardChanges } from "./discard-changes";
import { PrefixField } from "./prefix-field";
import { changesQuery } from "./queries";
import { repositoryView } from "./view";

/** What is staged on a branch; all of it, a folder or a file can be discarded. */
export function Uncommitted({ repository, branch }: { repository: string; branch: string }) {
  const project = useProject();
  const canManage = useCanManage();
  const [view, setView] = useView(repositoryView);
  const [discarded, setDiscarded] = useState<string>();
  const page = useQuery(changesQuery(project, repository, branch, view.prefix, view.pageToken));
  const { changes = [], next_page_token: next } = page.data ?? {};
  const isEmpty = page.isSuccess && !page.isPlaceholderData && !changes.length;
  const hrefOf = (file: string) => paths.repository(project, repository, writeView(repositoryView, { ...view, ...firstPage, tab: "files", prefix: "", file }));
  return (
    <>
      {isEmpty && !view.prefix ? null : (
        <div className="row wrap data-crumbs">
          {canManage && changes.length ? (
            <Button size="small" icon={<Undo2 size={13} />} onClick={() => setDiscarded(view.prefix)}>{view.prefix ? `Discard all that begins with ${view.prefix}…` : "Discard all…"}</Button>
          ) : null}
          <div className="push"><PrefixField label="Paths that begin with" /></div>
        </div>
      )}
      {page.error ? <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div> : null}
      {page.isPending ? <SkeletonRows /> : null}
      {page.isPlaceholderData ? <LoadingBar /> : null}
      {isEmpty && !view.pageToken ? <Empty title={view.prefix ? `Nothing that begins with ${view.prefix} waits to be committed` : `Everything on ${branch} is committed`} /> : null}
      {changes.length ? <ChangeList changes={changes} hrefOf={hrefOf} onDiscard={canManage ? setDiscarded : undefined} /> : null}
      <TokenPager list={`changes/${project}/${repository}/${branch}/${view.prefix}`} at={view} nextToken={next} isWaiting={page.isPlaceholderData} isEmpty={isEmpty} onGo={setView} />
      {discarded === undefined ? null : <DiscardChanges repository={repository} branch={branch} prefix={discarded} onOpenChange={() => setDiscarded(undefined)} />}
    </>
  );
}
