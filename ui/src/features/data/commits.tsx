import { useQuery } from "@tanstack/react-query";
import { AppLink, useProject, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { LoadingBar, SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatBytes, formatCount } from "../../components/format";
import { Ago } from "../../components/time";
import { TokenPager } from "../../components/token-pager";
import { CommitAuthor } from "./commit-author";
import { logQuery } from "./queries";
import { repositoryView, shortCommit } from "./view";

/** The history of a ref, newest first. */
export function Commits({ repository, revision }: { repository: string; revision: string }) {
  const project = useProject();
  const [view, setView] = useView(repositoryView);
  const page = useQuery(logQuery(project, repository, revision, view.pageToken));
  if (page.error) return <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div>;
  if (page.isPending) return <SkeletonRows />;
  const { commits, next_page_token: next } = page.data;
  return (
    <>
      {page.isPlaceholderData ? <LoadingBar /> : null}
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
          {commits.map((commit) => (
            <tr key={commit.id}>
              <td className="nowrap"><AppLink href={paths.commit(project, repository, commit.id)}><code>{shortCommit(commit.id)}</code></AppLink></td>
              <td className="wide ellipsis">{commit.message}</td>
              <td className="nowrap secondary"><CommitAuthor commit={commit} /></td>
              <td className="number secondary">{formatCount(commit.paths)}</td>
              <td className="number nowrap secondary">{formatBytes(commit.size_bytes)}</td>
              <td className="number secondary"><Ago atMs={commit.at_ms} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      <TokenPager list={`commits/${project}/${repository}/${revision}`} at={view} nextToken={next} isWaiting={page.isPlaceholderData} isEmpty={!commits.length} onGo={setView} />
    </>
  );
}
