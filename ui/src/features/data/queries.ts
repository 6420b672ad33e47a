import { queryOptions } from "@tanstack/react-query";
import { isAbsent } from "../../api/http";
import { native, type DataRef, type RefKind } from "../../api/native";
import { keepOf } from "../../app/keep-of";

const pageSize = 200;
/** Refs are read whole, up to so many thousands of branches and of tags. */
const refPages = 5;
/** Asks again and again, once an answer came, until what is asked for is not there any more. */
const paceOf =
  (everyMs: number) =>
  ({ state }: { state: { data: unknown; error: unknown } }) =>
    state.data !== undefined && !isAbsent(state.error) && everyMs;

/** What is written to a branch is no event before it is committed: what shows it is asked for again and again. */
export const stagedPace = paceOf(10_000);
/** Where only its count stands on a tab, more slowly: to count is to walk over all of it. */
const countPace = paceOf(60_000);

export const repositoriesQuery = (project: string, pageToken?: string) =>
  queryOptions({
    queryKey: ["data", project, "all", pageToken],
    queryFn: ({ signal }) => native.repositories(project, { page_token: pageToken, max_results: 1_000 }, signal),
  });

export const repositoryQuery = (project: string, repository: string) =>
  queryOptions({ queryKey: ["data", project, repository, "one"], queryFn: ({ signal }) => native.repository(project, repository, signal) });

export interface Refs {
  branches: DataRef[];
  tags: DataRef[];
  /** Whether there are more than were read. */
  isCut: boolean;
}

export const refsQuery = (project: string, repository: string) =>
  queryOptions({
    queryKey: ["data", project, repository, "refs"],
    queryFn: async ({ signal }): Promise<Refs> => {
      const [branches, tags] = await Promise.all([refsOf(project, repository, "branch", signal), refsOf(project, repository, "tag", signal)]);
      return { branches: branches.refs, tags: tags.refs, isCut: branches.isCut || tags.isCut };
    },
  });

async function refsOf(project: string, repository: string, kind: RefKind, signal: AbortSignal) {
  const refs: DataRef[] = [];
  let token: string | undefined;
  for (let page = 0; page === 0 || (token && page < refPages); page++) {
    const found = await native.refs(project, repository, kind, { page_token: token, max_results: 1_000 }, signal);
    refs.push(...found.refs);
    token = found.next_page_token;
  }
  return { refs, isCut: token !== undefined };
}

/** Files of a folder whose names begin with `prefix`. */
export const folderQuery = (project: string, repository: string, revision: string, folder: string, prefix: string, pageToken: string | undefined) => {
  const queryKey = ["data", project, repository, "folder", revision, folder, prefix, pageToken];
  return queryOptions({
    queryKey,
    queryFn: ({ signal }) =>
      native.objects(project, repository, revision, { prefix: folder + prefix, delimiter: "/", page_token: pageToken, max_results: pageSize }, signal),
    placeholderData: keepOf(queryKey.slice(0, 5)),
  });
};

export const logQuery = (project: string, repository: string, revision: string, pageToken: string | undefined) => {
  const queryKey = ["data", project, repository, "log", revision, pageToken];
  return queryOptions({
    queryKey,
    queryFn: ({ signal }) => native.commits(project, repository, revision, { page_token: pageToken, max_results: 50 }, signal),
    placeholderData: keepOf(queryKey.slice(0, 5)),
  });
};

export const commitQuery = (project: string, repository: string, commit: string) =>
  queryOptions({ queryKey: ["data", project, repository, "commit", commit], queryFn: ({ signal }) => native.commit(project, repository, commit, signal) });

export const diffQuery = (project: string, repository: string, from: string, to: string, pageToken: string | undefined, prefix = "") => {
  const queryKey = ["data", project, repository, "diff", from, to, prefix, pageToken];
  return queryOptions({
    queryKey,
    queryFn: ({ signal }) => native.diff(project, repository, { from, to, prefix, page_token: pageToken, max_results: pageSize }, signal),
    placeholderData: keepOf(queryKey.slice(0, 6)),
  });
};

export const diffSummaryQuery = (project: string, repository: string, from: string, to: string, prefix = "") => {
  const queryKey = ["data", project, repository, "diff-summary", from, to, prefix];
  return queryOptions({
    queryKey,
    queryFn: ({ signal }) => native.diffSummary(project, repository, { from, to, prefix }, signal),
    placeholderData: keepOf(queryKey.slice(0, 6)),
  });
};

/** What is not committed on a branch, of paths that begin with `prefix`. */
export const changesQuery = (project: string, repository: string, branch: string, prefix: string, pageToken?: string) => {
  const queryKey = ["data", project, repository, "changes", branch, prefix, pageToken];
  return queryOptions({
    queryKey,
    queryFn: ({ signal }) => native.uncommitted(project, repository, branch, { prefix, page_token: pageToken, max_results: pageSize }, signal),
    placeholderData: keepOf(queryKey.slice(0, 5)),
    refetchInterval: stagedPace,
  });
};

/** How many changes are not committed on a branch; `isWatched` where they are looked at. */
export const changeCountQuery = (project: string, repository: string, branch: string, isWatched = true) =>
  queryOptions({
    queryKey: ["data", project, repository, "change-count", branch],
    queryFn: ({ signal }) => native.uncommittedSummary(project, repository, branch, signal),
    select: ({ total: { added, changed, removed } }) => added + changed + removed,
    refetchInterval: isWatched ? stagedPace : countPace,
  });
