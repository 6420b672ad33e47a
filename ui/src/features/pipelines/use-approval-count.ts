import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useProject } from "../../app/navigation";
import { approvalsQuery } from "./queries";

const pauseMs = 2_000;

/** How many jobs wait for people. Asked for after what the page itself needs, unless the page asks for it too. */
export function useApprovalCount(): number {
  const project = useProject();
  const [isAsked, setAsked] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setAsked(true), pauseMs);
    return () => clearTimeout(timer);
  }, []);
  return useQuery({ ...approvalsQuery(project), enabled: isAsked }).data?.approvals.length ?? 0;
}
