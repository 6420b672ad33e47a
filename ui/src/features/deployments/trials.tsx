// Versions on trial: the canary beside the primary, and how far a shadow's answers are from those given.
import type { Deployment } from "../../api/native";
import { Snippet } from "../../components/copy";
import { formatCount, formatDuration, plural } from "../../components/format";
import { Section } from "../../components/page";
import { compareCanary, formatMs, formatShare, versionOf, type Comparison } from "./roles";

export function CanaryGate({ deployment }: { deployment: Deployment }) {
  const [primary, canary] = [versionOf(deployment, "primary"), versionOf(deployment, "canary")];
  if (!canary) return null;
  const [before, now] = [primary?.statistics?.since_canary, canary.statistics?.since_canary];
  return (
    <Section title="Canary beside the primary">
      <p className="secondary">
        {now ? `Since the canary began to answer, ${formatDuration(now.seconds * 1000)} ago.` : "The canary does not answer yet."} Promote it when it does as well, or end it.
      </p>
      <table className="table inset canary-table" aria-label="Canary beside the primary">
        <thead>
          <tr>
            <th>Measure</th>
            <th className="number">Primary v{primary?.version}</th>
            <th className="number">Canary v{canary.version}</th>
            <th>Difference</th>
          </tr>
        </thead>
        <tbody>
          {compareCanary(before, now).map((row) => (
            <tr key={row.measure}>
              <td>{row.measure}</td>
              <td className="number nowrap">{show(row, row.primary)}</td>
              <td className="number nowrap">{show(row, row.canary)}</td>
              <td className="secondary nowrap">{differenceOf(row)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <details className="in-text">
        <summary>Let a pipeline judge it</summary>
        <div className="stack" style={{ marginTop: 8 }}>
          <p className="secondary">A job starts the canary, watches it and fails when a limit is passed; the next one promotes it.</p>
          <Snippet
            label="Copy the jobs"
            code={`canary:\n  deploy: { deployment: ${deployment.name}, model: "models:/${canary.model}/${canary.version}", canary: ${canary.weight}% }\n  watch: { for: 30m, min_requests: 100, abort_if: ["error_rate > 0.01", "p95_latency > 1.2 * champion"] }\npromote:\n  needs: [canary]\n  deploy: { deployment: ${deployment.name}, promote: true }`}
          />
        </div>
      </details>
    </Section>
  );
}

const show = ({ kind }: Comparison, value: number | undefined): string => {
  if (kind === "ms") return formatMs(value);
  return kind === "share" ? formatShare(value) : value === undefined ? "–" : formatCount(value);
};

function differenceOf({ kind, ratio, primary, canary }: Comparison): string {
  if (ratio !== undefined) return `${ratio.toFixed(2)} × primary`;
  if (kind === "share" && primary !== undefined && canary !== undefined && primary !== canary) return canary > primary ? "more errors" : "fewer errors";
  return "";
}

export function ShadowAnswers({ deployment }: { deployment: Deployment }) {
  const shadow = versionOf(deployment, "shadow");
  if (!shadow) return null;
  const { compared = 0, different = 0 } = shadow.statistics ?? {};
  return (
    <Section title="Shadow beside the answers given">
      {compared ? (
        <>
          <p>
            <strong>{formatCount(different)}</strong> of {plural(compared, "answer")} of {shadow.model} v{shadow.version} differ by more than rounding ({formatShare(different / compared)}).
          </p>
          <div className="split small" role="img" aria-label={`${formatShare(1 - different / compared)} the same, ${formatShare(different / compared)} different`}>
            <span className="split-part same" style={{ flexGrow: compared - different }} />
            {different ? <span className="split-part different" style={{ flexGrow: different }} /> : null}
          </div>
        </>
      ) : (
        <p className="muted">No answer has been compared yet: {shadow.state === "ready" ? "requests are compared as they come" : `the shadow is ${shadow.state}`}.</p>
      )}
    </Section>
  );
}
