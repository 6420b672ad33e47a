import { CircleAlert } from "lucide-react";
import type { ColumnDrift } from "../../api/native";
import { formatNumber } from "../../components/format";
import { formatShare } from "../deployments/roles";
import { testWord } from "./drift-tab";

const quantileWords = ["p5", "p25", "p50", "p75", "p95"];

/** One column of a window beside the reference: its distribution, what is wrong, its numbers, all tests. */
export function ColumnDetail({ column }: { column: ColumnDrift }) {
  const { current, reference } = column;
  const most = Math.max(0.0001, ...column.bins.flatMap((bin) => [bin.reference_share, bin.current_share]));
  const rows: [string, (summary: NonNullable<typeof current>) => string | undefined][] = [
    ["Rows", ({ rows: count }) => formatNumber(count)],
    ["Missing", ({ missing_share }) => formatShare(missing_share)],
    ["Different values", ({ distinct }) => formatNumber(Math.round(distinct))],
    ["Mean", ({ mean }) => numberOr(mean)],
    ["Deviation", ({ std }) => numberOr(std)],
    ["Range", ({ min, max }) => (min === undefined || max === undefined ? undefined : `${formatNumber(min)} to ${formatNumber(max)}`)],
    ...quantileWords.map((word, index): [string, (summary: NonNullable<typeof current>) => string | undefined] => [word, ({ quantiles }) => numberOr(quantiles[index])]),
  ];
  return (
    <div className="stack column-detail">
      <h3>{column.name}</h3>
      {column.problems.map((problem) => (
        <p key={problem} className="row bad-word"><CircleAlert size={14} aria-hidden="true" />{problem}</p>
      ))}
      {column.bins.length ? (
        <table className="bins" aria-label={`Distribution of ${column.name}`}>
          <thead>
            <tr><th>Values</th><th><span className="visually-hidden">Bars</span></th><th className="number nowrap"><span className="bin-key reference" aria-hidden="true" />Reference</th><th className="number nowrap"><span className="bin-key current" aria-hidden="true" />Window</th></tr>
          </thead>
          <tbody>
            {column.bins.map((bin) => (
              <tr key={bin.label}>
                <th scope="row" className="nowrap">{bin.label.replace(/^<= /, "≤ ").replace(/^>= /, "≥ ")}</th>
                <td className="bin-bars" aria-hidden="true">
                  <span className="bin-bar reference" style={{ width: `${(100 * bin.reference_share) / most}%` }} />
                  <span className="bin-bar current" style={{ width: `${(100 * bin.current_share) / most}%` }} />
                </td>
                <td className="number">{formatShare(bin.reference_share)}</td>
                <td className="number">{formatShare(bin.current_share)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      <div className="sides">
        <table className="table inset" aria-label={`Numbers of ${column.name}`}>
          <thead><tr><th>Number</th><th className="number">Reference</th><th className="number">Window</th></tr></thead>
          <tbody>
            {rows.map(([word, read]) => {
              const [before, now] = [reference && read(reference), current && read(current)];
              return before === undefined && now === undefined ? null : (
                <tr key={word}><td>{word}</td><td className="number nowrap">{before ?? "–"}</td><td className="number nowrap">{now ?? "–"}</td></tr>
              );
            })}
          </tbody>
        </table>
        <table className="table inset" aria-label={`Tests of ${column.name}`}>
          <thead><tr><th>Test</th><th className="number">Value</th><th className="number">Drifted</th></tr></thead>
          <tbody>
            {column.tests.map((test) => (
              <tr key={test.test}>
                <td>{testWord(test.test)}{test.decides ? <span className="muted"> decides</span> : null}</td>
                <td className="number">{test.value !== 0 && test.value < 0.0001 ? "< 0.0001" : formatNumber(Number(test.value.toPrecision(3)))}</td>
                <td className={test.is_drifted ? "number nowrap bad-word" : "number nowrap secondary"}>{test.is_drifted ? "yes" : "no"} ({test.test.endsWith("p_value") ? "<" : "≥"} {test.threshold})</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

const numberOr = (value: number | undefined) => (value === undefined ? undefined : formatNumber(Number(value.toPrecision(4))));
