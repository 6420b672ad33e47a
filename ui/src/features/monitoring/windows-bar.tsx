import type { ReactNode } from "react";
import type { Deployment } from "../../api/native";
import type { SetView } from "../../app/navigation";
import { Button } from "../../components/button";
import { MomentField } from "../../components/fields";
import { formatWindow } from "../../components/format";
import type { WindowsView } from "./view";
import { goneWords, isSpan, type ShownWindows } from "./windows";

interface WindowsBarProps {
  deployment: Deployment;
  view: WindowsView;
  shown: Pick<ShownWindows<unknown>, "isAround" | "isCut" | "goneMs">;
  onChange: SetView<WindowsView>;
  children?: ReactNode;
}

const counts = [12, 24, 48, 100, 200];
const newest = { fromMs: undefined, toMs: undefined, window: undefined };

/** How far back is looked, or at which span of time, and at which version. */
export function WindowsBar({ deployment, view, shown: { isAround, isCut, goneMs }, onChange, children }: WindowsBarProps) {
  const { windows, fromMs, toMs, version } = view;
  const versions = [...new Set([...deployment.versions.map((each) => String(each.version)), ...(version ? [version] : [])])];
  return (
    <>
      <div className="row wrap windows-bar">
        <label className="row">
          Latest
          <select className="select" aria-label="Latest windows" value={isSpan(view) ? "" : windows} onChange={(event) => onChange({ windows: Number(event.target.value), fromMs: undefined, toMs: undefined })}>
            {isSpan(view) ? <option value="" disabled>of the span</option> : null}
            {[...new Set([...counts, windows])].sort((a, b) => a - b).map((count) => <option key={count} value={count}>{count} windows</option>)}
          </select>
        </label>
        <label className="row">
          from
          <MomentField value={fromMs} onChange={(ms) => onChange({ fromMs: ms, window: undefined }, { replace: true })} />
        </label>
        <label className="row">
          to
          <MomentField value={toMs} onChange={(ms) => onChange({ toMs: ms, window: undefined }, { replace: true })} />
        </label>
        {isSpan(view) || isAround ? <Button size="small" onClick={() => onChange(newest)}>Show the newest</Button> : null}
        <label className="row">
          Version
          <select className="select" aria-label="Version" value={version ?? ""} onChange={(event) => onChange({ version: event.target.value || undefined })}>
            <option value="">all</option>
            {versions.map((each) => <option key={each} value={each}>v{each}</option>)}
          </select>
        </label>
        {children}
      </div>
      {goneMs === undefined ? null : <p className="note" role="status">{goneWords(goneMs, version)}</p>}
      {isCut ? <p className="secondary" role="status">Only the latest 200 windows of this time are shown.</p> : null}
      {isAround && view.window ? <p className="secondary" role="status">Around the window of {formatWindow(Number(view.window))}.</p> : null}
    </>
  );
}
