// All charts of a page: searched by name, in groups that fold. Only charts that come into sight load.
import { ChevronDown, ChevronRight } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { list, text } from "../app/url-state";
import { useDraft } from "../app/use-draft";
import { Button } from "../components/button";
import { SearchField } from "../components/fields";
import { formatCount } from "../components/format";
import { ChartSettingsBar, chartFields } from "./chart-settings";
import { MetricChart, type ChartRun, type ChartSettings } from "./metric-chart";
import { groupMetrics, matcher, type MetricGroup } from "./metric-groups";
import { useSeen } from "./use-seen";

/** The keys of the query for a page with a grid of charts. */
export const metricGridFields = { ...chartFields, search: text("find"), closedGroups: list("closed") };

export interface MetricGridView extends ChartSettings {
  search: string;
  closedGroups: string[];
}

interface MetricGridProps {
  keys: string[];
  runs: ChartRun[];
  view: MetricGridView;
  onChange: (patch: Partial<MetricGridView>, options?: { replace?: boolean }) => void;
}

/** A thousand empty frames are slow too: the rest of a group comes when asked for. */
const chartsAtOnce = 60;
/** How much room a group is given before it comes into sight. */
const chartsInRow = 3;
const chartHeight = 272;

export function MetricGrid({ keys, runs, view, onChange }: MetricGridProps) {
  const [search, setSearch] = useDraft(view.search, (text) => onChange({ search: text }, { replace: true }));
  const groups = useMemo(() => groupMetrics(keys.filter(matcher(view.search))), [keys, view.search]);
  const found = groups.reduce((sum, group) => sum + group.keys.length, 0);
  const { x, smoothing, isLog } = view;
  const settings = useMemo(() => ({ x, smoothing, isLog }), [x, smoothing, isLog]);
  const toggle = (prefix: string) => {
    const name = prefix || ".";
    onChange({ closedGroups: view.closedGroups.includes(name) ? view.closedGroups.filter((other) => other !== name) : [...view.closedGroups, name] }, { replace: true });
  };
  return (
    <div className="metric-grid">
      <div className="row wrap">
        <SearchField label="Search metrics" data-search="" style={{ width: 240 }} value={search} onChange={setSearch} />
        <span className="muted" role="status">
          {view.search ? `${formatCount(found)} of ${formatCount(keys.length)}` : formatCount(keys.length)} metrics
        </span>
        <span className="push">
          <ChartSettingsBar settings={settings} onChange={(patch) => onChange(patch, { replace: true })} />
        </span>
      </div>
      {groups.map((group) => (
        <GroupOfCharts
          key={group.prefix}
          group={group}
          isOnly={groups.length === 1}
          isOpen={!view.closedGroups.includes(group.prefix || ".")}
          runs={runs}
          settings={settings}
          onToggle={() => toggle(group.prefix)}
        />
      ))}
      {keys.length && !found ? <p className="muted">No metric matches “{view.search}”.</p> : null}
    </div>
  );
}

interface GroupProps {
  group: MetricGroup;
  isOnly: boolean;
  isOpen: boolean;
  runs: ChartRun[];
  settings: ChartSettings;
  onToggle: () => void;
}

function GroupOfCharts({ group, isOnly, isOpen, runs, settings, onToggle }: GroupProps) {
  const [shown, setShown] = useState(chartsAtOnce);
  const section = useRef<HTMLElement>(null);
  const isSeen = useSeen(section);
  const rest = group.keys.length - shown;
  const title = group.prefix || "Metrics";
  return (
    <section ref={section} aria-label={title}>
      {isOnly && !group.prefix ? null : (
        <h2 className="group-head">
          <button type="button" aria-expanded={isOpen} onClick={onToggle}>
            {isOpen ? <ChevronDown size={14} aria-hidden="true" /> : <ChevronRight size={14} aria-hidden="true" />}
            {title}
            <span className="muted">{formatCount(group.keys.length)}</span>
          </button>
        </h2>
      )}
      {isOpen && !isSeen ? <div style={{ height: Math.ceil(Math.min(shown, group.keys.length) / chartsInRow) * chartHeight }} /> : null}
      {isOpen && isSeen ? (
        <div className="chart-grid">
          {group.keys.slice(0, shown).map((key) => (
            <MetricChart key={key} metricKey={key} runs={runs} settings={settings} syncKey={`metrics-${settings.x}`} />
          ))}
        </div>
      ) : null}
      {isOpen && isSeen && rest > 0 ? (
        <Button size="small" className="show-more" onClick={() => setShown(shown + chartsAtOnce)}>
          Show {formatCount(Math.min(chartsAtOnce, rest))} more of {formatCount(rest)}
        </Button>
      ) : null}
    </section>
  );
}
