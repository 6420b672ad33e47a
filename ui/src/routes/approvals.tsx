import { useQuery } from "@tanstack/react-query";
import { useProject } from "../app/navigation";
import { Snippet } from "../components/copy";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { PageHead } from "../components/page";
import { ApprovalList } from "../features/pipelines/approval-list";
import { DecidedList } from "../features/pipelines/decided-list";
import { useMayDecide } from "../features/pipelines/decide";
import { approvalsQuery } from "../features/pipelines/queries";
import { usePipelineChanges } from "../features/pipelines/use-pipeline-changes";

/** Of the approvals that wait for the reader. */
const openAtFirst = 3;

export default function ApprovalsPage() {
  const project = useProject();
  const may = useMayDecide();
  const reload = usePipelineChanges(project);
  const found = useQuery(approvalsQuery(project));
  const approvals = found.data?.approvals ?? [];
  const mine = approvals.filter((approval) => may(approval.requested_by).approve);
  const others = approvals.filter((approval) => !mine.includes(approval));
  return (
    <>
      <PageHead title="Approvals" />
      <div className="page-body flush">
        {found.error ? <div style={{ padding: 20 }}><ErrorNote error={found.error} /></div> : null}
        {found.isPending ? <SkeletonRows /> : null}
        {found.data && !approvals.length ? (
          <Empty title="Nothing waits for anybody">
            <p>A job of a pipeline waits here when its file says so:</p>
            <Snippet code={"approve: { needs: [train], approval: { min: 1, timeout: 3d } }"} />
          </Empty>
        ) : null}
        {mine.length ? <ApprovalList approvals={mine} onDone={reload} openAtFirst={openAtFirst} /> : null}
        {others.length ? (
          <>
            <h2 style={{ padding: "20px 20px 8px" }}>Waiting for others</h2>
            <ApprovalList approvals={others} onDone={reload} />
          </>
        ) : null}
        <DecidedList />
      </div>
    </>
  );
}
