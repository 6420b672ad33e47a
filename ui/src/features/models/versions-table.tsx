import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Ellipsis, Layers, Tag, Trash2 } from "lucide-react";
import type { ModelVersion } from "../../api/mlflow";
import { toNumber, type RunRow } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { useCanManage } from "../../app/session";
import { IconButton } from "../../components/button";
import { formatNumber, shortId } from "../../components/format";
import { Menu, MenuItem } from "../../components/menu";
import { bestValue } from "../../components/metric-direction";
import { Swatch } from "../../components/swatch";
import { Ago } from "../../components/time";
import { allExperimentsQuery } from "../experiments/queries";
import { defaultColumns, parseColumn } from "../runs/columns";
import { columnsQuery, runsByIdQuery } from "../runs/queries";
import { AliasChip } from "./alias-chip";

const defaultMetrics = 4;

export type VersionChange = { what: "alias" | "stage" | "delete"; version: ModelVersion };

interface VersionsTableProps {
  versions: ModelVersion[];
  runs: ReadonlyMap<string, RunRow>;
  /** Columns `metrics.<key>`. */
  columns: string[];
  current: number;
  onChange: (change: VersionChange) => void;
}

export function VersionsTable({ versions, runs, columns, current, onChange }: VersionsTableProps) {
  const project = useProject();
  const canManage = useCanManage();
  const hasStages = versions.some((version) => version.current_stage && version.current_stage !== "None");
  const hasTrouble = versions.some((version) => version.status !== "READY");
  const best = new Map(columns.map((column) => {
    const values = versions.map((version) => valueOf(runs.get(version.run_id), column));
    return [column, bestValue(parseColumn(column)?.key ?? "", values)];
  }));
  return (
    <div className="scroll-x" tabIndex={0} role="region" aria-label="Versions">
      <table className="table inset">
        <thead>
          <tr>
            <th>Version</th>
            <th>Aliases</th>
            {hasStages ? <th>Stage</th> : null}
            {hasTrouble ? <th>Status</th> : null}
            <th>Source run</th>
            {columns.map((column) => (
              <th key={column} className="number">{parseColumn(column)?.key}</th>
            ))}
            <th className="number">Registered</th>
            <th><span className="visually-hidden">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          {versions.map((version, index) => {
            const run = runs.get(version.run_id);
            return (
              <tr key={version.version} data-current={index === current}>
                <td className="nowrap">
                  <AppLink href={paths.version(project, version.name, version.version)}>Version {version.version}</AppLink>
                </td>
                <td>
                  <span className="row wrap">
                    {version.aliases.map((alias) => <AliasChip key={alias} name={version.name} alias={alias} />)}
                  </span>
                </td>
                {hasStages ? <td className="secondary">{version.current_stage}</td> : null}
                {hasTrouble ? <td className="secondary" title={version.status_message}>{version.status}</td> : null}
                <td className="nowrap"><RunLink runId={version.run_id} run={run} /></td>
                {columns.map((column) => {
                  const value = valueOf(run, column);
                  const isBest = value !== undefined && best.get(column) === value;
                  return (
                    <td key={column} className="number">
                      {value === undefined ? <span className="muted">–</span> : isBest ? <strong className="best" title="Best of the versions shown">{formatNumber(value)}</strong> : formatNumber(value)}
                    </td>
                  );
                })}
                <td className="number muted"><Ago atMs={version.creation_timestamp} /></td>
                <td className="actions-cell">
                  {canManage ? (
                    <Menu align="end" trigger={<IconButton size="small" label={`Actions for version ${version.version}`} icon={<Ellipsis size={15} />} />}>
                      <MenuItem icon={<Tag size={14} />} onSelect={() => onChange({ what: "alias", version })}>Set alias…</MenuItem>
                      <MenuItem icon={<Layers size={14} />} onSelect={() => onChange({ what: "stage", version })}>Change stage…</MenuItem>
                      <MenuItem icon={<Trash2 size={14} />} danger onSelect={() => onChange({ what: "delete", version })}>Delete…</MenuItem>
                    </Menu>
                  ) : null}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

export function RunLink({ runId, run }: { runId: string; run: RunRow | undefined }) {
  const project = useProject();
  if (!runId) return <span className="muted">none</span>;
  return (
    <span className="row">
      <Swatch runId={runId} />
      <AppLink className="ellipsis" href={paths.run(project, runId)}>{run?.run_name || shortId(runId)}</AppLink>
    </span>
  );
}

function valueOf(run: RunRow | undefined, column: string): number | undefined {
  const value = run?.values[column];
  return value === undefined ? undefined : toNumber(value);
}

/** The runs behind versions, with the metrics that tell them apart; `chosen` overrides which ones. */
export function useSourceRuns(project: string, versions: ModelVersion[], chosen: string[] | undefined) {
  const runIds = [...new Set(versions.map((version) => version.run_id).filter(Boolean))];
  const experiments = useQuery({ ...allExperimentsQuery(project), enabled: runIds.length > 0 });
  const allIds = experiments.data?.map((experiment) => experiment.experiment_id) ?? [];
  // Which metrics exist is a question about the runs' own experiments, so the runs are found first.
  const plain = useQuery(runsByIdQuery(project, allIds, runIds, []));
  const experimentIds = [...new Set(plain.data?.runs.map((run) => run.experiment_id))].sort();
  const available = useQuery({ ...columnsQuery(project, experimentIds), enabled: experimentIds.length > 0 && chosen === undefined });
  const usual = available.data ? defaultColumns(available.data).filter((column) => column.startsWith("metrics.")).slice(0, defaultMetrics) : [];
  const columns = chosen?.filter((column) => column.startsWith("metrics.")) ?? usual;
  const filled = useQuery({ ...runsByIdQuery(project, allIds, columns.length ? runIds : [], columns), placeholderData: keepPreviousData });
  const rows = filled.data?.runs ?? plain.data?.runs ?? [];
  return { runs: new Map(rows.map((run) => [run.run_id, run])), columns, experimentIds };
}
