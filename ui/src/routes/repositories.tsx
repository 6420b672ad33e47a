import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { AppLink, useGo, useProject, useView } from "../app/navigation";
import { commandLineSetup, paths } from "../app/paths";
import { useCanWrite } from "../app/session";
import { useListKeys } from "../app/use-list-keys";
import { Button } from "../components/button";
import { Snippet } from "../components/copy";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { PageHead } from "../components/page";
import { Ago } from "../components/time";
import { TokenPager } from "../components/token-pager";
import { CreateRepository } from "../features/data/dialogs";
import { repositoriesQuery } from "../features/data/queries";
import { useDataChanges } from "../features/data/use-data-changes";
import { repositoriesView } from "../features/data/view";

export default function RepositoriesPage() {
  const project = useProject();
  const go = useGo();
  const [view, setView] = useView(repositoriesView);
  const canWrite = useCanWrite();
  const [isMaking, setMaking] = useState(false);
  const found = useQuery(repositoriesQuery(project, view.pageToken));
  useDataChanges(project);
  const repositories = found.data?.repositories ?? [];
  const isEmpty = found.isSuccess && !repositories.length;
  const current = useListKeys({ count: repositories.length, onOpen: (index) => go(paths.repository(project, repositories[index]!.name)) });
  return (
    <>
      <PageHead title="Data">
        {canWrite ? (
          <Button variant="primary" icon={<Plus size={14} />} onClick={() => setMaking(true)}>
            New repository
          </Button>
        ) : null}
      </PageHead>
      <div className="page-body flush">
        {found.error ? <div style={{ padding: 20 }}><ErrorNote error={found.error} /></div> : null}
        {found.isPending ? <SkeletonRows /> : null}
        {isEmpty && !view.pageToken ? (
          <Empty title="No repositories yet">
            <p>A repository holds files under version control. Make one here, or put a folder into a new one:</p>
            <Snippet code={`${commandLineSetup(project)}\nlathe repo create flights\nlathe cp ./raw data://flights/raw/\nlathe commit flights -m 'January'`} label="Copy the commands" />
          </Empty>
        ) : null}
        {repositories.length ? (
          <table className="table sticky">
            <thead>
              <tr>
                <th>Name</th>
                <th>Default branch</th>
                <th>S3 address</th>
                <th>Description</th>
                <th className="number">Created</th>
              </tr>
            </thead>
            <tbody>
              {repositories.map((repository, index) => (
                <tr key={repository.name} data-current={index === current}>
                  <td className="nowrap"><AppLink href={paths.repository(project, repository.name)}>{repository.name}</AppLink></td>
                  <td className="nowrap">{repository.default_branch}</td>
                  <td className="nowrap secondary">
                    <code>{repository.layout === "flat" ? `s3://${repository.name}/` : `s3://${repository.name}/${repository.default_branch}/`}</code>
                  </td>
                  <td className="wide ellipsis secondary">{repository.description}</td>
                  <td className="number secondary"><Ago atMs={repository.created_at_ms} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : null}
      </div>
      <TokenPager list={`repositories/${project}`} at={view} nextToken={found.data?.next_page_token} isEmpty={isEmpty} onGo={setView} />
      {isMaking ? <CreateRepository onOpenChange={() => setMaking(false)} /> : null}
    </>
  );
}
