import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { native, type AuditQuery } from "../../api/native";
import type { AuditView } from "./view";

export const pageSize = 100;

/** People write `run/ab12` or the whole canonical name. */
export function subjectName(project: string, written: string): string | undefined {
  const name = written.trim();
  if (!name) return undefined;
  return name.startsWith(`${project}/`) ? name : `${project}/${name}`;
}

export function auditFilter(project: string, view: AuditView): AuditQuery {
  return {
    action: view.action || undefined,
    actor: view.actor.trim() || undefined,
    subject: subjectName(project, view.subject),
    from_ms: view.fromMs,
    to_ms: view.toMs,
  };
}

export const auditPageQuery = (project: string, filter: AuditQuery, pageToken: string | undefined) =>
  queryOptions({
    queryKey: ["audit", project, filter, pageToken],
    queryFn: ({ signal }) => native.audit(project, { ...filter, max_results: pageSize, page_token: pageToken }, signal),
    placeholderData: keepPreviousData,
  });
