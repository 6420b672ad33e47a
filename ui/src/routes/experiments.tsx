import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Ellipsis, Pencil, Plus, RotateCcw, Trash2 } from "lucide-react";
import { useEffect, useState } from "react";
import { mlflow, type Experiment } from "../api/mlflow";
import { useLiveEvents } from "../app/live";
import { AppLink, useGo, useProject, useView } from "../app/navigation";
import { paths } from "../app/paths";
import { useCanManage, useCanWrite } from "../app/session";
import { useDraft } from "../app/use-draft";
import { useListKeys } from "../app/use-list-keys";
import { usePageTokens } from "../app/use-page-tokens";
import { Button, IconButton } from "../components/button";
import { Empty, SkeletonRows } from "../components/empty";
import { ErrorNote } from "../components/error-note";
import { SearchField, Segmented } from "../components/fields";
import { Menu, MenuItem } from "../components/menu";
import { PageHead } from "../components/page";
import { Pager } from "../components/pager";
import { Ago } from "../components/time";
import { notify, notifyError } from "../components/toast";
import { ConnectSnippet } from "../features/experiments/connect";
import { CreateExperiment, DeleteExperiment, RenameExperiment } from "../features/experiments/dialogs";
import { experimentsPageQuery } from "../features/experiments/queries";
import { experimentsView } from "../features/experiments/view";

type Asked = { what: "create" } | { what: "rename" | "delete"; experiment: Experiment };

export default function ExperimentsPage() {
  const project = useProject();
  const go = useGo();
  const client = useQueryClient();
  const canWrite = useCanWrite();
  const canManage = useCanManage();
  const [view, setView] = useView(experimentsView);
  const [search, setSearch] = useDraft(view.search, (text) => setView({ search: text, page: 1, pageToken: undefined }, { replace: true }));
  const [asked, setAsked] = useState<Asked>();
  const page = useQuery(experimentsPageQuery(project, view.search, view.isDeleted, view.pageToken));
  const tokens = usePageTokens(`experiments/${project}/${view.search}/${view.isDeleted}`);
  const reload = () => void client.invalidateQueries({ queryKey: ["experiments", project] });
  useLiveEvents(project, (event) => event.action.startsWith("experiment.") && reload(), reload);

  const experiments = page.data?.items ?? [];
  const nextToken = page.data?.nextPageToken;
  useEffect(() => {
    if (nextToken) tokens.remember(view.page + 1, nextToken);
  }, [nextToken, tokens, view.page]);

  const toggle = (id: string) =>
    setView({ selected: view.selected.includes(id) ? view.selected.filter((other) => other !== id) : [...view.selected, id] }, { replace: true });
  const current = useListKeys({
    count: experiments.length,
    onOpen: (index) => go(paths.runs(project, { exp: experiments[index]!.experiment_id })),
    onSelect: (index) => toggle(experiments[index]!.experiment_id),
  });
  const restore = async (experiment: Experiment) => {
    try {
      await mlflow.restoreExperiment(project, experiment.experiment_id);
      notify(`Experiment ${experiment.name} was restored`);
      reload();
    } catch (error) {
      notifyError(error);
    }
  };

  return (
    <>
      <PageHead title="Experiments">
        {view.selected.length ? (
          <AppLink className="button" href={paths.runs(project, { exp: view.selected.join(",") })}>
            Runs of {view.selected.length} selected
          </AppLink>
        ) : null}
        {canWrite ? (
          <Button variant="primary" icon={<Plus size={14} />} onClick={() => setAsked({ what: "create" })}>
            New experiment
          </Button>
        ) : null}
      </PageHead>
      <div className="toolbar">
        <SearchField label="Search experiments" data-search="" style={{ width: 280 }} value={search} onChange={setSearch} />
        <Segmented
          label="Which experiments"
          value={view.isDeleted ? "deleted" : "active"}
          options={[{ value: "active", label: "Active" }, { value: "deleted", label: "Deleted" }]}
          onChange={(which) => setView({ isDeleted: which === "deleted", page: 1, pageToken: undefined, selected: [] })}
        />
      </div>
      <div className="page-body flush">
        {page.error ? <div style={{ padding: 20 }}><ErrorNote error={page.error} /></div> : null}
        {page.isPending ? <SkeletonRows /> : null}
        {page.data && !experiments.length ? <NoExperiments isSearch={view.search !== ""} isDeleted={view.isDeleted} /> : null}
        {experiments.length ? (
          <table className="table sticky">
            <thead>
              <tr>
                <th style={{ width: 14 }}><span className="visually-hidden">Select</span></th>
                <th>Name</th>
                <th>Description</th>
                <th className="number">Id</th>
                <th className="number">Created</th>
                <th className="number">Updated</th>
                <th><span className="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {experiments.map((experiment, index) => (
                <tr key={experiment.experiment_id} data-current={index === current}>
                  <td>
                    <input type="checkbox" aria-label={`Select ${experiment.name}`} checked={view.selected.includes(experiment.experiment_id)} onChange={() => toggle(experiment.experiment_id)} />
                  </td>
                  <td className="nowrap">
                    <AppLink href={paths.runs(project, { exp: experiment.experiment_id })}>{experiment.name}</AppLink>
                  </td>
                  <td className="wide ellipsis secondary">{experiment.tags.find((tag) => tag.key === "mlflow.note.content")?.value}</td>
                  <td className="number muted">{experiment.experiment_id}</td>
                  <td className="number secondary"><Ago atMs={experiment.creation_time} /></td>
                  <td className="number secondary"><Ago atMs={experiment.last_update_time} /></td>
                  <td className="actions-cell">
                    {canManage && view.isDeleted ? <Button size="small" icon={<RotateCcw size={13} />} onClick={() => void restore(experiment)}>Restore</Button> : null}
                    {canWrite && !view.isDeleted ? (
                      <Menu align="end" trigger={<IconButton size="small" label={`Actions for ${experiment.name}`} icon={<Ellipsis size={15} />} />}>
                        <MenuItem icon={<Pencil size={14} />} onSelect={() => setAsked({ what: "rename", experiment })}>Rename…</MenuItem>
                        {canManage ? <MenuItem icon={<Trash2 size={14} />} danger onSelect={() => setAsked({ what: "delete", experiment })}>Delete…</MenuItem> : null}
                      </Menu>
                    ) : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : null}
      </div>
      {nextToken || view.page > 1 ? (
        <Pager
          page={view.page}
          hasNext={nextToken !== undefined}
          onPrevious={() => setView(tokens.previous(view.page))}
          onNext={() => setView({ page: view.page + 1, pageToken: nextToken })}
        />
      ) : null}
      {asked?.what === "create" ? <CreateExperiment onOpenChange={() => setAsked(undefined)} onDone={reload} /> : null}
      {asked?.what === "rename" ? <RenameExperiment experiment={asked.experiment} onOpenChange={() => setAsked(undefined)} onDone={reload} /> : null}
      {asked?.what === "delete" ? <DeleteExperiment experiment={asked.experiment} onOpenChange={() => setAsked(undefined)} onDone={reload} /> : null}
    </>
  );
}

function NoExperiments({ isSearch, isDeleted }: { isSearch: boolean; isDeleted: boolean }) {
  if (isSearch) return <Empty title="No experiment has this in its name"><p>Search for less, or clear the search.</p></Empty>;
  if (isDeleted) return <Empty title="No deleted experiments" />;
  return <Empty title="No experiments yet"><ConnectSnippet /></Empty>;
}
