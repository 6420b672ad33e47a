import type { LedgerEvent } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { CopyButton } from "../../components/copy";
import { formatDateTime } from "../../components/format";
import { kindWord, labelOf, pageOf, parseName } from "../../components/names";
import { changesOf } from "./changes";

interface EventDetailProps {
  event: LedgerEvent;
  onFilter: (patch: { actor?: string; subject?: string; action?: string }) => void;
}

/** Everything the ledger keeps of one event. */
export function EventDetail({ event, onFilter }: EventDetailProps) {
  const changes = changesOf(event);
  const hasDetail = event.detail !== null && Object.keys(event.detail).length > 0;
  return (
    <div className="event-detail in-text">
      <dl className="facts">
        <dt>When</dt>
        <dd>{formatDateTime(event.at_ms)} <span className="muted">({new Date(event.at_ms).toISOString()})</span></dd>
        <dt>Actor</dt>
        <dd>
          {event.actor.name} <span className="muted">{event.actor.kind}</span>{" "}
          <FilterLink onClick={() => onFilter({ actor: event.actor.name })}>Only this actor</FilterLink>
        </dd>
        <dt>Action</dt>
        <dd>{event.action} <FilterLink onClick={() => onFilter({ action: event.action })}>Only this action</FilterLink></dd>
        <dt>Subject</dt>
        <dd>
          <Thing name={event.subject} /> <code>{event.subject}</code>{" "}
          <FilterLink onClick={() => onFilter({ subject: event.subject })}>Only this subject</FilterLink>
        </dd>
        <dt>Position</dt>
        <dd>{event.position ?? <span className="muted">not sealed yet</span>}</dd>
        <dt>Request</dt>
        <dd><Code text={event.request_id} label="Copy request id" /></dd>
        <dt>Event</dt>
        <dd><Code text={event.id} label="Copy event id" /></dd>
        {event.hash ? <><dt>Hash</dt><dd><Code text={event.hash} label="Copy hash" /></dd></> : null}
      </dl>
      <div className="stack">
        {changes.length ? (
          <table className="table inset">
            <thead>
              <tr>
                <th>Changed</th>
                <th>Before</th>
                <th>After</th>
              </tr>
            </thead>
            <tbody>
              {changes.map(({ what, before, after }) => (
                <tr key={what}>
                  <td>{what}</td>
                  <td className="mono breakable"><Part value={before} /></td>
                  <td className="mono breakable"><Part value={after} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : null}
        {hasDetail ? (
          <div>
            <h3>Detail</h3>
            <pre className="event-json" tabIndex={0} aria-label="Detail of the event">{JSON.stringify(event.detail, null, 2)}</pre>
          </div>
        ) : null}
        {event.edges.length ? (
          <div>
            <h3>Connects</h3>
            <ul>
              {event.edges.map((edge) => (
                <li key={`${edge.from} ${edge.kind} ${edge.to}`}>
                  <Thing name={edge.from} /> <span className="muted">{edge.kind}</span> <Thing name={edge.to} />
                </li>
              ))}
            </ul>
          </div>
        ) : null}
        {hasDetail || event.edges.length ? null : <p className="muted">The event has no further detail.</p>}
      </div>
    </div>
  );
}

function Part({ value }: { value: unknown }) {
  if (value === undefined || value === null) return <span className="muted">nothing</span>;
  return typeof value === "string" ? value : JSON.stringify(value);
}

function Code({ text, label }: { text: string; label: string }) {
  return (
    <span className="row">
      <code className="ellipsis" title={text}>{text}</code>
      <CopyButton text={text} label={label} />
    </span>
  );
}

function FilterLink({ onClick, children }: { onClick: () => void; children: string }) {
  return <button type="button" className="filter-link" onClick={onClick}>{children}</button>;
}

export function Thing({ name, title = labelOf(name) }: { name: string; title?: string | undefined }) {
  const project = useProject();
  const { kind, id } = parseName(name);
  const href = pageOf(name) ?? (kind === "dataset" || kind === "logged-model" ? paths.lineage(project, { name }) : undefined);
  return (
    <>
      <span className="muted">{kindWord(kind, id)}</span> {href ? <AppLink href={href}>{title}</AppLink> : title}
    </>
  );
}
