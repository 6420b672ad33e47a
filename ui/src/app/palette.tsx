// Find anything: pages, runs, experiments, models, deployments, pipelines and data by name, and a few switches.
import { useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { Beaker, Boxes, Database, FolderClosed, Hand, House, Keyboard, KeyRound, ListTree, Moon, Rocket, ScrollText, Sun, SunMoon, Waypoints, Workflow } from "lucide-react";
import { Dialog } from "radix-ui";
import { useState, type ReactNode } from "react";
import { mlflow, quoteFilterValue } from "../api/mlflow";
import { native } from "../api/native";
import { ErrorNote } from "../components/error-note";
import { Swatch } from "../components/swatch";
import { Ago } from "../components/time";
import { repositoriesQuery } from "../features/data/queries";
import { deploymentsQuery } from "../features/deployments/queries";
import { allExperimentsQuery } from "../features/experiments/queries";
import { pipelinesQuery } from "../features/pipelines/queries";
import { useGo, useProject } from "./navigation";
import "./palette.css";
import { paths } from "./paths";
import { useWhoAmI } from "./session";
import { setTheme } from "./theme";
import { useDraft } from "./use-draft";

const foundAtMost = 7;
const pauseMs = 120;

interface Entry {
  id: string;
  label: string;
  icon: ReactNode;
  hint?: ReactNode;
  run: () => void;
}

export default function Palette({ onClose }: { onClose: () => void }) {
  const [search, setSearch] = useState("");
  const [draft, setDraft] = useDraft(search, setSearch, pauseMs);
  const [current, setCurrent] = useState("");
  const wanted = draft.trim().toLowerCase();
  const found = useFound(search.trim());
  const { pages, switches } = useFixedEntries();
  const matching = (entries: Entry[]) => entries.filter((entry) => entry.label.toLowerCase().includes(wanted));
  const change = (text: string) => {
    setDraft(text);
    setCurrent("");
  };
  const act = (entry: Entry) => {
    onClose();
    entry.run();
  };
  const groups: [string, Entry[]][] = [
    ["Go to", matching(pages)],
    [search ? "Runs" : "Recent runs", found.runs],
    ["Experiments", found.experiments],
    ["Models", found.models],
    ["Deployments", found.deployments],
    ["Pipelines", found.pipelines],
    ["Data", found.repositories],
    ["Switch", wanted ? matching(switches) : switches.filter((entry) => !entry.id.startsWith("project"))],
  ];

  // What is found comes late and replaces what stood there: Enter then opens the first.
  const ids = groups.flatMap(([, entries]) => entries.map((entry) => entry.id));
  const selected = ids.includes(current) ? current : (ids[0] ?? "");

  return (
    <Dialog.Root open onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="palette" aria-describedby={undefined}>
          <Dialog.Title className="visually-hidden">Find anything</Dialog.Title>
          <Command shouldFilter={false} label="Find anything" loop value={selected} onValueChange={setCurrent}>
            <Command.Input value={draft} onValueChange={change} placeholder="Find a run, experiment, model, deployment, pipeline, repository or page" />
            <Command.List label="Found">
              {found.error ? <ErrorNote error={found.error} /> : null}
              {found.isPending || search.trim() !== draft.trim() ? null : <Command.Empty>Nothing here is called “{draft}”.</Command.Empty>}
              {groups.map(([heading, entries]) =>
                entries.length ? (
                  <Command.Group key={heading} heading={heading}>
                    {entries.map((entry) => (
                      <Command.Item key={entry.id} value={entry.id} onSelect={() => act(entry)}>
                        {entry.icon}
                        <span className="ellipsis">{entry.label}</span>
                        {entry.hint ? <span className="muted push nowrap">{entry.hint}</span> : null}
                      </Command.Item>
                    ))}
                  </Command.Group>
                ) : null,
              )}
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function useFixedEntries(): { pages: Entry[]; switches: Entry[] } {
  const project = useProject();
  const go = useGo();
  const { projects } = useWhoAmI();
  const page = (label: string, href: string, icon: ReactNode, keys?: string): Entry => ({
    id: `page ${label}`,
    label,
    icon,
    hint: keys ? <kbd className="kbd">{keys}</kbd> : undefined,
    run: () => go(href),
  });
  const pages = [
    page("Home", paths.home(project), <House size={15} />, "g h"),
    page("Experiments", paths.experiments(project), <Beaker size={15} />, "g e"),
    page("Runs", paths.runs(project), <ListTree size={15} />, "g r"),
    page("Models", paths.models(project), <Boxes size={15} />, "g m"),
    page("Deployments", paths.deployments(project), <Rocket size={15} />, "g s"),
    page("Data", paths.data(project), <Database size={15} />, "g d"),
    page("Pipelines", paths.pipelines(project), <Workflow size={15} />, "g p"),
    page("Approvals", paths.approvals(project), <Hand size={15} />),
    page("Audit", paths.audit(project), <ScrollText size={15} />, "g a"),
    page("Lineage", paths.lineage(project), <Waypoints size={15} />),
    page("Access tokens", paths.tokens(project), <KeyRound size={15} />),
  ];
  const switches: Entry[] = [
    { id: "theme light", label: "Light theme", icon: <Sun size={15} />, run: () => setTheme("light") },
    { id: "theme dark", label: "Dark theme", icon: <Moon size={15} />, run: () => setTheme("dark") },
    { id: "theme system", label: "Theme as the system", icon: <SunMoon size={15} />, run: () => setTheme("system") },
    { id: "keys", label: "Show keys", icon: <Keyboard size={15} />, hint: <kbd className="kbd">?</kbd>, run: () => document.dispatchEvent(new Event("lathe:help")) },
    ...projects
      .filter((entry) => entry.name !== project)
      .map((entry) => ({ id: `project ${entry.name}`, label: `Project ${entry.name}`, icon: <FolderClosed size={15} />, hint: entry.role, run: () => go(paths.home(entry.name)) })),
  ];
  return { pages, switches };
}

/** What the server finds by name; the latest runs while nothing is asked. */
function useFound(search: string) {
  const project = useProject();
  const go = useGo();
  const like = quoteFilterValue(`%${search}%`);
  const all = useQuery(allExperimentsQuery(project));
  const experimentIds = all.data?.map((experiment) => experiment.experiment_id) ?? [];
  const runs = useQuery({
    queryKey: ["palette", project, "runs", search, experimentIds.length],
    queryFn: ({ signal }) =>
      native.searchRuns(project, { experiment_ids: experimentIds, filter: search ? runFilter(search, like) : undefined, columns: [], max_results: foundAtMost }, signal),
    enabled: experimentIds.length > 0,
    placeholderData: (previous) => previous,
  });
  const models = useQuery({
    queryKey: ["palette", project, "models", search],
    queryFn: ({ signal }) => mlflow.searchModels(project, { filter: `name ILIKE ${like}`, maxResults: foundAtMost }, signal),
    enabled: search !== "",
    placeholderData: (previous) => previous,
  });
  // Of these a project has few: all are asked for once, and looked through here.
  const asked = { enabled: search !== "", refetchInterval: false, staleTime: 10_000 } as const;
  const deployments = useQuery({ ...deploymentsQuery(project), ...asked });
  const pipelines = useQuery({ ...pipelinesQuery(project), ...asked });
  const repositories = useQuery({ ...repositoriesQuery(project), ...asked });
  const named = <T extends { name: string }>(things: readonly T[] | undefined): T[] =>
    search ? (things ?? []).filter(({ name }) => name.toLowerCase().includes(search.toLowerCase())).slice(0, foundAtMost) : [];

  return {
    error: [all, runs, models, deployments, pipelines, repositories].find(({ error }) => error)?.error,
    isPending: all.isPending || [runs, models, deployments, pipelines, repositories].some(({ isFetching }) => isFetching),
    runs: (runs.data?.runs ?? []).map((run): Entry => ({
      id: `run ${run.run_id}`,
      label: run.run_name || run.run_id,
      icon: <Swatch runId={run.run_id} />,
      hint: <>{run.experiment_name}, <Ago atMs={run.start_time_ms} /></>,
      run: () => go(paths.run(project, run.run_id)),
    })),
    experiments: named(all.data).map((experiment): Entry => ({
      id: `experiment ${experiment.experiment_id}`,
      label: experiment.name,
      icon: <Beaker size={15} />,
      run: () => go(paths.runs(project, { exp: experiment.experiment_id })),
    })),
    models: (search ? (models.data?.items ?? []) : []).map((model): Entry => ({
      id: `model ${model.name}`,
      label: model.name,
      icon: <Boxes size={15} />,
      hint: model.aliases.map((alias) => `@${alias.alias}`).join(" ") || undefined,
      run: () => go(paths.model(project, model.name)),
    })),
    deployments: named(deployments.data).map(({ name, state }): Entry => ({ id: `deployment ${name}`, label: name, icon: <Rocket size={15} />, hint: state, run: () => go(paths.deployment(project, name)) })),
    pipelines: named(pipelines.data?.pipelines).map(({ name }): Entry => ({ id: `pipeline ${name}`, label: name, icon: <Workflow size={15} />, run: () => go(paths.pipeline(project, name)) })),
    repositories: named(repositories.data?.repositories).map(({ name }): Entry => ({ id: `data ${name}`, label: name, icon: <Database size={15} />, run: () => go(paths.repository(project, name)) })),
  };
}

/** A run is known by its name, or by its whole id where someone pastes one. */
function runFilter(search: string, like: string): string {
  return /^[0-9a-f]{32}$/.test(search) ? `attributes.run_id = '${search}'` : `attributes.run_name ILIKE ${like}`;
}
