import { useQuery } from "@tanstack/react-query";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { Section } from "../../components/page";
import { ApprovalList } from "./approval-list";
import { useMayDecide } from "./decide";
import { approvalsQuery } from "./queries";
import { usePipelineChanges } from "./use-pipeline-changes";

const shownAtMost = 5;

/** Approvals that wait for the reader; nothing where none does. */
export function WaitingForMe() {
  const project = useProject();
  const may = useMayDecide();
  const reload = usePipelineChanges(project);
  const { data } = useQuery(approvalsQuery(project));
  const mine = data?.approvals.filter((approval) => may(approval.requested_by).approve) ?? [];
  if (!mine.length) return null;
  return (
    <Section title="Approvals waiting for you" count={mine.length} actions={<AppLink href={paths.approvals(project)}>All approvals</AppLink>}>
      <ApprovalList approvals={mine.slice(0, shownAtMost)} onDone={reload} isShort />
    </Section>
  );
}
