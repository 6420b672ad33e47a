import { useQuery, useQueryClient } from "@tanstack/react-query";
import { native } from "../api/native";
import { useLiveEvents } from "../app/live";
import { AppLink, useProject } from "../app/navigation";
import { paths } from "../app/paths";
import { useGathered } from "../app/use-gathered";
import { SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { formatCount, noun } from "../components/format";
import { PageHead, Section } from "../components/page";
import { DeploymentHealth } from "../features/deployments/health";
import { ConnectSnippet } from "../features/experiments/connect";
import { Activity } from "../features/home/activity";
import { GettingStarted } from "../features/home/getting-started";
import { PipelineHealth } from "../features/pipelines/pipeline-health";
import { WaitingForMe } from "../features/pipelines/waiting-for-me";
import { RunList } from "../features/runs/run-list";
import "../features/home/home.css";

const reloadAfterMs = 1500;

export default function HomePage() {
  const project = useProject();
  const client = useQueryClient();
  const home = useQuery({ queryKey: ["home", project], queryFn: ({ signal }) => native.home(project, signal) });
  const reload = useGathered(() => void client.invalidateQueries({ queryKey: ["home", project] }), reloadAfterMs);
  useLiveEvents(project, reload, reload);

  const counts = home.data?.counts;
  const runs = home.data?.recent_runs ?? [];
  const steps = home.data?.getting_started ?? [];
  const done = steps.filter((step) => step.done).length;
  return (
    <>
      <PageHead title="Home">
        {counts ? (
          <div className="counts">
            <AppLink href={paths.experiments(project)}>
              <strong>{formatCount(counts.experiments)}</strong> {noun(counts.experiments, "experiment")}
            </AppLink>
            <AppLink href={paths.runs(project)}>
              <strong>{formatCount(counts.runs)}</strong> {noun(counts.runs, "run")}
            </AppLink>
            <AppLink href={paths.models(project)}>
              <strong>{formatCount(counts.models)}</strong> {noun(counts.models, "model")}, <strong>{formatCount(counts.versions)}</strong> {noun(counts.versions, "version")}
            </AppLink>
          </div>
        ) : null}
      </PageHead>
      <div className="page-body">
        {home.error ? <ErrorNote error={home.error} /> : null}
        {home.isPending ? <SkeletonRows /> : null}
        {home.data ? (
          <div className="columns">
            <div>
              <WaitingForMe />
              <Section title="Recent runs" actions={<AppLink href={paths.runs(project)}>All runs</AppLink>}>
                {runs.length ? <RunList runs={runs} /> : <ConnectSnippet />}
              </Section>
              <Section title="Activity" actions={<AppLink href={paths.audit(project)}>Audit log</AppLink>}>
                <Activity />
              </Section>
            </div>
            <aside className="home-side" aria-label="Deployments, pipelines and getting started">
              <DeploymentHealth />
              <PipelineHealth />
              <Section title="Getting started" actions={<span className="muted">{done} of {steps.length} done</span>}>
                <GettingStarted steps={steps} />
              </Section>
            </aside>
          </div>
        ) : null}
      </div>
    </>
  );
}
