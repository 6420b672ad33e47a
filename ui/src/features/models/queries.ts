import { queryOptions } from "@tanstack/react-query";
import { mlflow, quoteFilterValue } from "../../api/mlflow";
import { keepOf } from "../../app/keep-of";

const pageSize = 50;

export const modelsPageQuery = (project: string, search: string, pageToken: string | undefined) =>
  queryOptions({
    queryKey: ["models", project, "page", search, pageToken],
    queryFn: ({ signal }) =>
      mlflow.searchModels(project, {
        maxResults: pageSize,
        pageToken,
        filter: search ? `name ILIKE ${quoteFilterValue(`%${search}%`)}` : undefined,
      }, signal),
    placeholderData: keepOf(["models", project, "page"]),
  });

/** The model of exactly this name, if there is one; none is no error. */
export const namedModelQuery = (project: string, name: string) =>
  queryOptions({
    queryKey: ["models", project, "named", name],
    queryFn: async ({ signal }) => (await mlflow.searchModels(project, { filter: `name = ${quoteFilterValue(name)}`, maxResults: 1 }, signal)).items[0] ?? null,
  });

export const modelQuery = (project: string, name: string) =>
  queryOptions({ queryKey: ["models", project, "one", name], queryFn: ({ signal }) => mlflow.model(project, name, signal) });

export const versionsPageQuery = (project: string, name: string, pageToken: string | undefined) =>
  queryOptions({
    queryKey: ["models", project, "versions", name, pageToken],
    queryFn: ({ signal }) => mlflow.searchVersions(project, { filter: `name = ${quoteFilterValue(name)}`, maxResults: pageSize, pageToken }, signal),
    placeholderData: keepOf(["models", project, "versions", name]),
  });

const choiceSize = 1_000;

/** The newest versions, of which one is chosen in a list. */
export const versionsChoiceQuery = (project: string, name: string) =>
  queryOptions({
    queryKey: ["models", project, "choice", name],
    queryFn: ({ signal }) => mlflow.searchVersions(project, { filter: `name = ${quoteFilterValue(name)}`, maxResults: choiceSize }, signal),
  });

export const versionQuery = (project: string, name: string, version: string) =>
  queryOptions({
    queryKey: ["models", project, "version", name, version],
    queryFn: ({ signal }) => mlflow.version(project, name, version, signal),
  });
