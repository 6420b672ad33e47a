import { choice, flag, integer } from "../app/url-state";
import { Segmented } from "../components/fields";
import type { ChartSettings } from "./metric-chart";

/** The keys of the query that set charts; every page with charts takes them into its view. */
export const chartFields = {
  x: choice("x", ["step", "time"] as const, "step"),
  smoothing: integer("smooth", 0, 0, 99),
  isLog: flag("log"),
};

export function ChartSettingsBar({ settings, onChange }: { settings: ChartSettings; onChange: (patch: Partial<ChartSettings>) => void }) {
  return (
    <div className="chart-settings">
      <Segmented label="Horizontal axis" value={settings.x} options={[{ value: "step", label: "Step" }, { value: "time", label: "Time" }]} onChange={(x) => onChange({ x })} />
      <label className="slider">
        Smoothing
        <input type="range" min={0} max={99} value={settings.smoothing} style={{ width: 110 }} onChange={(event) => onChange({ smoothing: Number(event.target.value) })} />
        <output className="muted">{settings.smoothing ? (settings.smoothing / 100).toFixed(2) : "off"}</output>
      </label>
      <label className="check">
        <input type="checkbox" checked={settings.isLog} onChange={(event) => onChange({ isLog: event.target.checked })} />
        Log scale
      </label>
    </div>
  );
}
