import { useQuery } from "@tanstack/react-query";
import { useProject } from "../../app/navigation";
import { plural } from "../../components/format";
import { approvalsQuery } from "./queries";

/** How many jobs wait for people, beside the link to them. */
export function ApprovalCount() {
  const { data } = useQuery(approvalsQuery(useProject()));
  const count = data?.approvals.length ?? 0;
  if (!count) return null;
  return <span className="nav-count" title={plural(count, "approval waits", "approvals wait")}>{count}</span>;
}
