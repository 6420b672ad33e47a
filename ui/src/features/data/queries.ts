import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { native } from "../../api/native";

const pageSize = 200;

export const repositoriesQuery = (project: string) =>
  queryOptions({ queryKey: ["data", project, "all"], queryFn: ({ signal }) => native.repositories(project, signal) });

export const repositoryQuery = (project: string, repository: string) =>
  queryOptions({ queryKey: ["data", project, repository, "one"], queryFn: ({ signal }) => native.repository(project, repository, signal) });

export const refsQuery = (project: string, repository: string) =>
  queryOptions({
    queryKey: ["data", project, repository, "refs"],
    queryFn: async ({ signal }) => {
      const [branches, tags] = await Promise.all([native.branches(project, repository, signal), native.tags(project, repository, signal)]);
      return { branches: branches.refs, tags: tags.refs };
    },
  });

export const folderQuery = (project: string, repository: string, revision: string, folder: string, pageToken: string | undefined) =>
  queryOptions({
    queryKey: ["data", project, repository, "folder", revision, folder, pageToken],
    queryFn: ({ signal }) =>
      native.objects(project, repository, revision, { prefix: folder, delimiter: "/", page_token: pageToken, max_results: pageSize }, signal),
    placeholderData: keepPreviousData,
  });

export const logQuery = (project: string, repository: string, revision: string, pageToken: string | undefined) =>
  queryOptions({
    queryKey: ["data", project, repository, "log", revision, pageToken],
    queryFn: ({ signal }) => native.commits(project, repository, revision, { page_token: pageToken, max_results: 50 }, signal),
    placeholderData: keepPreviousData,
  });

export const commitQuery = (project: string, repository: string, commit: string) =>
  queryOptions({ queryKey: ["data", project, repository, "commit", commit], queryFn: ({ signal }) => native.commit(project, repository, commit, signal) });

export const diffQuery = (project: string, repository: string, from: string, to: string, pageToken: string | undefined, prefix = "") =>
  queryOptions({
    queryKey: ["data", project, repository, "diff", from, to, pageToken, prefix],
    queryFn: ({ signal }) => native.diff(project, repository, { from, to, prefix, page_token: pageToken, max_results: pageSize }, signal),
    placeholderData: keepPreviousData,
  });

export const diffSummaryQuery = (project: string, repository: string, from: string, to: string, prefix: string) =>
  queryOptions({
    queryKey: ["data", project, repository, "diff-summary", from, to, prefix],
    queryFn: ({ signal }) => native.diffSummary(project, repository, { from, to, prefix }, signal),
    placeholderData: keepPreviousData,
  });

export const changesQuery = (project: string, repository: string, branch: string, pageToken: string | undefined) =>
  queryOptions({
    queryKey: ["data", project, repository, "changes", branch, pageToken],
    queryFn: ({ signal }) => native.uncommitted(project, repository, branch, { page_token: pageToken, max_results: pageSize }, signal),
    placeholderData: keepPreviousData,
  });
