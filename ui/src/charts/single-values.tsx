import { toNumber } from "../api/native";
import { formatNumber } from "../components/format";
import type { PlotLine } from "./chart-data";
import { cssColor } from "./run-style";

/** A metric that was logged once is a value, not a curve: a number for one run, bars for several; one of several is named. */
export function SingleValues({ plots, isNamed }: { plots: PlotLine[]; isNamed: boolean }) {
  const values = plots.map((plot) => toNumber(plot.line.series.last.at(-1) ?? "NaN"));
  if (plots.length === 1 && !isNamed) return <p className="single-value">{formatNumber(values[0]!)}</p>;
  const largest = Math.max(...values.map((value) => (Number.isFinite(value) ? Math.abs(value) : 0)));
  return (
    <div className="value-bars" tabIndex={0} role="region" aria-label="Values">
      <dl>
        {plots.map(({ line }, index) => (
          <div key={line.id}>
            <dt className="ellipsis" title={line.label}>{line.label}</dt>
            <dd>
              <span className="value-bar" style={{ width: `${share(values[index]!, largest)}%`, background: cssColor(line.color) }} />
              {formatNumber(values[index]!)}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

const longest = 70;
const share = (value: number, largest: number) => (Number.isFinite(value) && largest > 0 ? (Math.abs(value) / largest) * longest : 0);
