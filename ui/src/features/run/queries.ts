import { queryOptions } from "@tanstack/react-query";
import { mlflow, type ModelVersion } from "../../api/mlflow";
import { native } from "../../api/native";

export const childrenAtMost = 50;

export const runQuery = (project: string, runId: string) =>
  queryOptions({ queryKey: ["run", project, runId], queryFn: ({ signal }) => mlflow.run(project, runId, signal) });

/** Runs that name this one as their parent. Clients start them in the parent's experiment. */
export const childrenQuery = (project: string, experimentId: string, runId: string) =>
  queryOptions({
    queryKey: ["run-children", project, runId],
    queryFn: ({ signal }) =>
      native.searchRuns(project, { experiment_ids: [experimentId], filter: childrenFilter(runId), columns: [], max_results: childrenAtMost }, signal),
  });

export const childrenFilter = (runId: string) => `tags.\`mlflow.parentRunId\` = '${runId}'`;

export const versionsOfRunQuery = (project: string, runId: string) =>
  queryOptions({
    queryKey: ["run-versions", project, runId],
    queryFn: async ({ signal }) => {
      const { items } = await mlflow.searchVersions(project, { filter: `run_id = '${runId}'`, maxResults: 100 }, signal);
      // A search leaves aliases out; the models know them.
      const models = await Promise.all([...new Set(items.map((item) => item.name))].map((name) => mlflow.model(project, name, signal)));
      const aliasesOf = ({ name, version }: ModelVersion) =>
        models.find((model) => model.name === name)!.aliases.filter((entry) => entry.version === version).map((entry) => entry.alias);
      return items.map((item) => ({ ...item, aliases: aliasesOf(item) }));
    },
  });

export const loggedModelQuery = (project: string, modelId: string) =>
  queryOptions({
    queryKey: ["logged-model", project, modelId],
    queryFn: ({ signal }) => mlflow.loggedModel(project, modelId, signal),
    staleTime: 60_000,
  });
