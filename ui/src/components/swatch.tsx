import { cssColor, dashPatterns, runColor, type RunStyle } from "../charts/run-style";

/** The run's colour beside its name, as in every chart. */
export function Swatch({ runId }: { runId: string }) {
  return <span className="swatch" style={{ background: cssColor(runColor(runId)) }} aria-hidden="true" />;
}

/** A piece of the run's line: colour and dash. */
export function LineSwatch({ style }: { style: RunStyle }) {
  return (
    <svg width="22" height="8" aria-hidden="true">
      <line x1="0" y1="4" x2="22" y2="4" stroke={cssColor(style.color)} strokeWidth="2.5" strokeDasharray={dashPatterns[style.dash]?.join(" ")} />
    </svg>
  );
}
