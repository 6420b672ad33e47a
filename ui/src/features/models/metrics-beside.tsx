import { useQuery } from "@tanstack/react-query";
import type { ModelVersion, RegisteredModel, Run } from "../../api/mlflow";
import { toNumber } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatDelta, formatNumber } from "../../components/format";
import { bestValue } from "../../components/metric-direction";
import { Section } from "../../components/page";
import { compareKeys } from "../compare/diff";
import { runQuery } from "../run/queries";
import { versionQuery } from "./queries";

/** The version that a version is measured against when nobody chose one. */
export function usualRival(model: RegisteredModel, version: string): string | undefined {
  const champion = model.aliases.find(({ alias }) => alias === "champion")?.version;
  return champion === version ? undefined : champion;
}

interface MetricsBesideProps {
  version: ModelVersion;
  run: Run | undefined;
  model: RegisteredModel;
  /** Other versions to measure against, newest first. */
  others: string[];
  chosen: string | undefined;
  onChoose: (rival: string | undefined) => void;
}

/** The metrics of the version's run, beside those of the champion or another version. */
export function MetricsBeside({ version, run, model, others, chosen, onChoose }: MetricsBesideProps) {
  const project = useProject();
  const rivalVersion = chosen === "none" ? undefined : chosen ?? usualRival(model, version.version);
  const rival = useQuery({ ...versionQuery(project, model.name, rivalVersion ?? ""), enabled: rivalVersion !== undefined });
  const rivalRunId = rival.data?.run_id ?? "";
  const rivalRun = useQuery({ ...runQuery(project, rivalRunId), enabled: rivalRunId !== "" });

  const choices = [...new Set([...model.aliases.map((entry) => entry.version), ...others])].filter((each) => each !== version.version);
  const aliasesOf = (each: string) => model.aliases.filter((entry) => entry.version === each).map((entry) => entry.alias).join(", ");
  const chooser = choices.length ? (
    <label className="row">
      <span className="secondary">Beside</span>
      <select className="select" value={rivalVersion ?? "none"} onChange={(event) => onChoose(event.target.value)}>
        <option value="none">nothing</option>
        {choices.map((each) => (
          <option key={each} value={each}>
            version {each}
            {aliasesOf(each) ? ` (${aliasesOf(each)})` : ""}
          </option>
        ))}
      </select>
    </label>
  ) : null;

  const rows = compareKeys([valuesOf(run), valuesOf(rivalRun.data)]);
  return (
    <Section title="Metrics" count={run?.metrics.length} actions={chooser}>
      {rival.error ? <ErrorNote error={rival.error} /> : null}
      {rivalRun.error ? <ErrorNote error={rivalRun.error} /> : null}
      {run === undefined && version.run_id ? <SkeletonRows count={3} /> : null}
      {!version.run_id ? <p className="muted">The version names no run, so there are no metrics.</p> : null}
      {run && !rows.length ? <p className="muted">The run logged no metrics.</p> : null}
      {run && rows.length ? (
        <table className="table inset">
          <thead>
            <tr>
              <th>Metric</th>
              <th className="number">Version {version.version}</th>
              {rivalVersion ? (
                <>
                  <th className="number"><AppLink href={paths.version(project, model.name, rivalVersion)}>Version {rivalVersion}</AppLink></th>
                  <th className="number">Difference</th>
                </>
              ) : null}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, values: [own, other] }) => {
              const best = rivalVersion ? bestValue(key, [own, other]) : undefined;
              return (
                <tr key={key}>
                  <td className="breakable">{key}</td>
                  <td className="number"><Value value={own} isBest={own !== undefined && best === own} /></td>
                  {rivalVersion ? (
                    <>
                      <td className="number secondary"><Value value={other} isBest={other !== undefined && best === other} /></td>
                      <td className="number secondary">{own === undefined || other === undefined ? "" : formatDelta(own - other)}</td>
                    </>
                  ) : null}
                </tr>
              );
            })}
          </tbody>
        </table>
      ) : null}
    </Section>
  );
}

function Value({ value, isBest }: { value: number | undefined; isBest: boolean }) {
  if (value === undefined) return <span className="muted">–</span>;
  return isBest ? <strong className="best" title="The better of the two">{formatNumber(value)}<span className="visually-hidden"> (better)</span></strong> : formatNumber(value);
}

const valuesOf = (run: Run | undefined) => new Map(run?.metrics.map((metric) => [metric.key, toNumber(metric.value)]));
