import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ChevronRight, ShieldCheck } from "lucide-react";
import { useEffect } from "react";
import type { LedgerEvent } from "../api/native";
import { useLiveEvents } from "../app/live";
import { useProject, useView } from "../app/navigation";
import { useGathered } from "../app/use-gathered";
import { useListKeys } from "../app/use-list-keys";
import { usePageTokens } from "../app/use-page-tokens";
import { Button } from "../components/button";
import { Empty, LoadingBar, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { formatCount } from "../components/format";
import { calledIn } from "../components/names";
import { PageHead } from "../components/page";
import { Pager } from "../components/pager";
import { Ago } from "../components/time";
import { EventDetail, Thing } from "../features/audit/event-detail";
import { ExportMenu } from "../features/audit/export-menu";
import { FilterBar } from "../features/audit/filter-bar";
import { auditFilter, auditPageQuery } from "../features/audit/query";
import { VerificationPanel } from "../features/audit/verification";
import { auditView, firstPage } from "../features/audit/view";
import { ConnectSnippet } from "../features/experiments/connect";
import "../features/audit/audit.css";

const reloadAfterMs = 1000;

export default function AuditPage() {
  const project = useProject();
  const client = useQueryClient();
  const [view, setView] = useView(auditView);
  const filter = auditFilter(project, view);
  const page = useQuery(auditPageQuery(project, filter, view.pageToken));
  const tokens = usePageTokens(`audit/${project}/${JSON.stringify(filter)}`);
  const reloadSoon = useGathered(() => void client.invalidateQueries({ queryKey: ["audit", project] }), reloadAfterMs);
  // Older pages stay as they are.
  const reload = () => {
    if (view.page === 1) reloadSoon();
  };
  useLiveEvents(project, reload, reload);

  const events = page.data?.events ?? [];
  const nextToken = page.data?.next_page_token;
  useEffect(() => {
    if (nextToken) tokens.remember(view.page + 1, nextToken);
  }, [nextToken, tokens, view.page]);
  const toggle = (event: LedgerEvent) => setView({ event: event.id === view.event ? undefined : event.id }, { replace: true });
  const current = useListKeys({ count: events.length, onOpen: (index) => toggle(events[index]!) });
  const isFiltered = Object.values(filter).some((value) => value !== undefined);

  return (
    <>
      <PageHead title="Audit">
        <Button icon={<ShieldCheck size={14} />} aria-pressed={view.isVerifying} onClick={() => setView({ isVerifying: !view.isVerifying }, { replace: true })}>
          Verify chain
        </Button>
        <ExportMenu filter={filter} />
      </PageHead>
      {view.isVerifying ? <VerificationPanel onClose={() => setView({ isVerifying: false }, { replace: true })} /> : null}
      <FilterBar view={view} setView={setView} />
      <div className="page-body flush">
        <div style={{ position: "relative" }}>{page.isPlaceholderData ? <LoadingBar /> : null}</div>
        {page.error ? <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div> : null}
        {page.isPending ? <SkeletonRows /> : null}
        {page.data && !events.length ? <NoEvents isFiltered={isFiltered} /> : null}
        {events.length && !page.error ? (
          <table className="table sticky audit-table">
            <thead>
              <tr>
                <th style={{ width: 24 }}><span className="visually-hidden">Details</span></th>
                <th>When</th>
                <th>Actor</th>
                <th>Action</th>
                <th>Subject</th>
                <th className="number">Position</th>
                <th>Hash</th>
              </tr>
            </thead>
            <tbody>
              {events.map((event, index) => (
                <EventRows
                  key={event.id}
                  event={event}
                  isOpen={event.id === view.event}
                  isCurrent={index === current}
                  onToggle={() => toggle(event)}
                  onFilter={(patch) => setView({ ...patch, ...firstPage })}
                />
              ))}
            </tbody>
          </table>
        ) : null}
      </div>
      {nextToken || view.page > 1 ? (
        <Pager
          page={view.page}
          hasNext={nextToken !== undefined}
          onPrevious={() => setView({ ...tokens.previous(view.page), event: undefined })}
          onNext={() => setView({ page: view.page + 1, pageToken: nextToken, event: undefined })}
        />
      ) : null}
    </>
  );
}

interface EventRowsProps {
  event: LedgerEvent;
  isOpen: boolean;
  isCurrent: boolean;
  onToggle: () => void;
  onFilter: (patch: { actor?: string; subject?: string; action?: string }) => void;
}

function EventRows({ event, isOpen, isCurrent, onToggle, onFilter }: EventRowsProps) {
  const detailId = `event-${event.id}`;
  return (
    <>
      <tr data-current={isCurrent}>
        <td>
          <button type="button" className="row-toggle" aria-expanded={isOpen} aria-controls={isOpen ? detailId : undefined} aria-label={`Details of ${event.action}`} onClick={onToggle}>
            <ChevronRight size={14} aria-hidden="true" />
          </button>
        </td>
        <td className="secondary"><Ago atMs={event.at_ms} /></td>
        <td className="in-text">{event.actor.kind === "run" && event.project ? <Thing name={`${event.project}/run/${event.actor.name}`} /> : event.actor.name}</td>
        <td>{event.action}</td>
        <td className="wide ellipsis in-text"><Thing name={event.subject} title={calledIn(event)} /></td>
        <td className="number muted">{event.position === null || event.position === undefined ? "–" : formatCount(event.position)}</td>
        <td className="mono muted">{event.hash?.slice(0, 10)}</td>
      </tr>
      {isOpen ? (
        <tr className="event-row" id={detailId}>
          <td colSpan={7} className="event-cell">
            <EventDetail event={event} onFilter={onFilter} />
          </td>
        </tr>
      ) : null}
    </>
  );
}

function NoEvents({ isFiltered }: { isFiltered: boolean }) {
  if (isFiltered) return <Empty title="No event passes the filter"><p>Widen the time range, or clear the filter.</p></Empty>;
  return <Empty title="Nothing has happened yet"><ConnectSnippet /></Empty>;
}
