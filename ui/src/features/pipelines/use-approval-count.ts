import { useQuery } from "@tanstack/react-query";
import { useProject } from "../../app/navigation";
import { approvalsQuery } from "./queries";

/** How many jobs wait for people. */
export const useApprovalCount = (): number => useQuery(approvalsQuery(useProject())).data?.approvals.length ?? 0;
