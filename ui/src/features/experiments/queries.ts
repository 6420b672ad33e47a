import { queryOptions } from "@tanstack/react-query";
import { mlflow, quoteFilterValue, type Experiment } from "../../api/mlflow";

const pageSize = 1000;

/** Every active experiment of the project: what "all experiments" means where an API wants their ids. */
export const allExperimentsQuery = (project: string) =>
  queryOptions({
    queryKey: ["experiments", project, "all"],
    staleTime: 30_000,
    queryFn: async ({ signal }) => {
      const all: Experiment[] = [];
      let pageToken: string | undefined;
      do {
        const page = await mlflow.searchExperiments(project, { maxResults: pageSize, pageToken }, signal);
        all.push(...page.items);
        pageToken = page.nextPageToken;
      } while (pageToken);
      return all;
    },
  });

export const experimentQuery = (project: string, experimentId: string) =>
  queryOptions({
    queryKey: ["experiments", project, "one", experimentId],
    staleTime: 30_000,
    queryFn: ({ signal }) => mlflow.experiment(project, experimentId, signal),
  });

export const experimentsPageQuery = (project: string, search: string, isDeleted: boolean, pageToken: string | undefined) =>
  queryOptions({
    queryKey: ["experiments", project, "page", search, isDeleted, pageToken],
    queryFn: ({ signal }) =>
      mlflow.searchExperiments(project, {
        maxResults: 100,
        pageToken,
        view: isDeleted ? "DELETED_ONLY" : "ACTIVE_ONLY",
        filter: search ? `name ILIKE ${quoteFilterValue(`%${search}%`)}` : undefined,
      }, signal),
    placeholderData: (previous) => previous,
  });
