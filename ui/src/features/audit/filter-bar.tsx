import { X } from "lucide-react";
import { useProject } from "../../app/navigation";
import type { SetView } from "../../app/navigation";
import { useDraft } from "../../app/use-draft";
import { IconButton } from "../../components/button";
import { MomentField, SearchField } from "../../components/fields";
import { actionGroups } from "./actions";
import { firstPage, type AuditView } from "./view";

const spans = [
  { label: "Last hour", ms: 3_600_000 },
  { label: "Last 24 hours", ms: 86_400_000 },
  { label: "Last 7 days", ms: 7 * 86_400_000 },
  { label: "Last 30 days", ms: 30 * 86_400_000 },
];

export function FilterBar({ view, setView }: { view: AuditView; setView: SetView<AuditView> }) {
  const project = useProject();
  const filter = (patch: Partial<AuditView>) => setView({ ...patch, ...firstPage }, { replace: true });
  const [actor, setActor] = useDraft(view.actor, (text) => filter({ actor: text }));
  const [subject, setSubject] = useDraft(view.subject, (text) => filter({ subject: text }));
  const isFiltered = Boolean(view.action || view.actor || view.subject || view.fromMs !== undefined || view.toMs !== undefined);
  const clear = () => {
    setActor("");
    setSubject("");
    filter({ action: "", actor: "", subject: "", fromMs: undefined, toMs: undefined });
  };
  return (
    <div className="toolbar" role="search" aria-label="Filter events">
      <select className="select" aria-label="Action" style={{ width: 150 }} value={view.action} onChange={(event) => filter({ action: event.target.value })}>
        <option value="">All actions</option>
        {actionGroups.map(({ noun, label, actions }) => (
          <optgroup key={noun} label={label}>
            <option value={`${noun}.`}>everything of {label}</option>
            {actions.map((action) => <option key={action}>{action}</option>)}
          </optgroup>
        ))}
      </select>
      <SearchField label="Actor" style={{ width: 130 }} value={actor} onChange={setActor} />
      <SearchField label="Subject" placeholder="Subject: model/scorer" data-search="" style={{ width: 200 }} title={`A thing and its parts, by canonical name: ${project}/run/<id>`} value={subject} onChange={setSubject} />
      <select
        className="select"
        style={{ width: 112 }}
        aria-label="Time span"
        value=""
        onChange={(event) => filter({ fromMs: toMinute(Date.now() - Number(event.target.value)), toMs: undefined })}
      >
        <option value="" disabled>Time span</option>
        {spans.map(({ label, ms }) => <option key={ms} value={ms}>{label}</option>)}
      </select>
      <div className="row">
        <label className="row">
          <span className="secondary">From</span>
          <MomentField value={view.fromMs} onChange={(fromMs) => filter({ fromMs })} />
        </label>
        <label className="row">
          <span className="secondary">to</span>
          <MomentField value={view.toMs} onChange={(toMs) => filter({ toMs })} />
        </label>
        {isFiltered ? <IconButton label="Clear filter" icon={<X size={14} />} onClick={clear} /> : null}
      </div>
    </div>
  );
}

const toMinute = (ms: number) => Math.floor(ms / 60_000) * 60_000;
