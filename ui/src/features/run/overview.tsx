import { Pencil } from "lucide-react";
import { useState } from "react";
import { mlflow, type Run } from "../../api/mlflow";
import { toNumber } from "../../api/native";
import { AppLink, useProject, useView } from "../../app/navigation";
import { paths } from "../../app/paths";
import { isSystemMetric } from "../../charts/metric-groups";
import { Button, IconButton } from "../../components/button";
import { CopyButton } from "../../components/copy";
import { formatNumber } from "../../components/format";
import { Section } from "../../components/page";
import { TagSection } from "../../components/tags";
import { Ago } from "../../components/time";
import { NeighbourLinks } from "../lineage/neighbour-links";
import { EditNote, type ModelSource } from "./dialogs";
import { RunFacts } from "./facts";
import { Children, Datasets, ModelsOfRun } from "./in-and-out";
import { KeyValues } from "./key-values";
import { paramsSnippet, tagOf } from "./snippets";
import { overviewView } from "./view";

const noteTag = "mlflow.note.content";

interface OverviewProps {
  run: Run;
  experimentName: string | undefined;
  sources: ModelSource[];
  canWrite: boolean;
  onChanged: () => void;
  onRegister: (source: ModelSource) => void;
}

export function Overview({ run, experimentName, sources, canWrite, onChanged, onRegister }: OverviewProps) {
  const project = useProject();
  const [view, setView] = useView(overviewView);
  const metrics = run.metrics.filter((metric) => !isSystemMetric(metric.key));
  const chartOf = (key: string) => paths.run(project, run.info.run_id, { tab: "charts", find: `^${key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$` });
  return (
    <div className="columns">
      <div>
        <Note run={run} canWrite={canWrite} onChanged={onChanged} />
        <KeyValues
          title="Metrics"
          rows={metrics}
          search={view.metrics}
          onSearch={(search) => setView({ metrics: search }, { replace: true })}
          empty="This run has logged no metric."
          heads={<><th>Metric</th><th className="number">Latest</th><th className="number">Step</th><th className="number">Logged</th></>}
        >
          {(metric) => (
            <>
              <td className="wide ellipsis"><AppLink href={chartOf(metric.key)} title={`Chart of ${metric.key}`}>{metric.key}</AppLink></td>
              <td className="number" title={String(metric.value)}>{formatNumber(toNumber(metric.value))}</td>
              <td className="number secondary">{metric.step.toLocaleString("en-US")}</td>
              <td className="number muted"><Ago atMs={metric.timestamp} /></td>
            </>
          )}
        </KeyValues>
        <KeyValues
          title="Params"
          rows={run.params}
          search={view.params}
          onSearch={(search) => setView({ params: search }, { replace: true })}
          empty="This run has logged no param."
          actions={run.params.length ? <CopyButton text={paramsSnippet(run)} label="Copy the params as Python" /> : undefined}
          heads={<><th>Param</th><th>Value</th></>}
        >
          {(param) => (
            <>
              <td className="param-key">{param.key}</td>
              <td className="breakable mono">{param.value}</td>
            </>
          )}
        </KeyValues>
        <ModelsOfRun run={run} sources={sources} canWrite={canWrite} onRegister={onRegister} />
        <Datasets datasets={run.datasets} />
        <Children run={run} />
      </div>
      <aside aria-label="About this run">
        <Section title="About">
          <RunFacts run={run} experimentName={experimentName} />
        </Section>
        <NeighbourLinks name={`${project}/run/${run.info.run_id}`} />
        <TagSection
          tags={run.tags}
          canWrite={canWrite}
          onSet={(key, value) => mlflow.setTag(project, run.info.run_id, key, value).then(onChanged)}
          onDelete={(key) => mlflow.deleteTag(project, run.info.run_id, key).then(onChanged)}
        />
      </aside>
    </div>
  );
}

function Note({ run, canWrite, onChanged }: { run: Run; canWrite: boolean; onChanged: () => void }) {
  const project = useProject();
  const [isEditing, setEditing] = useState(false);
  const note = tagOf(run, noteTag) ?? "";
  const save = async (text: string) => {
    await mlflow.setTag(project, run.info.run_id, noteTag, text);
    onChanged();
  };
  if (!note && !canWrite) return null;
  return (
    <section className="section" aria-label="Description">
      {note ? (
        <div className="run-note">
          <p>{note}</p>
          {canWrite ? <IconButton size="small" label="Edit the description" icon={<Pencil size={13} />} onClick={() => setEditing(true)} /> : null}
        </div>
      ) : (
        <div>
          <Button size="small" variant="ghost" icon={<Pencil size={13} />} onClick={() => setEditing(true)}>Add a description</Button>
        </div>
      )}
      {isEditing ? <EditNote note={note} onSave={save} onOpenChange={setEditing} /> : null}
    </section>
  );
}
