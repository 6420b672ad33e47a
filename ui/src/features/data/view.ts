import { choice, flag, integer, optionalText, text } from "../../app/url-state";
import { lineageView } from "../lineage/lineage-panel";

const pageView = { page: integer("page", 1, 1, 1_000_000), pageToken: optionalText("token") };

export const repositoriesView = pageView;

export const repositoryTabs = ["files", "changes", "commits"] as const;
export type RepositoryTab = (typeof repositoryTabs)[number];

export const repositoryView = {
  tab: choice("tab", repositoryTabs, "files"),
  /** A branch, a tag or a commit. Unset: the default branch. */
  revision: optionalText("ref"),
  /** The folder that is listed, with `/` at its end; empty for the root. */
  folder: text("path"),
  /** The file that is shown, a path. */
  file: optionalText("file"),
  /** What is listed begins with this: names in the folder, or paths that changed. */
  prefix: text("prefix"),
  ...pageView,
};

export const compareDataView = {
  from: optionalText("from"),
  to: optionalText("to"),
  prefix: text("prefix"),
  /** The file whose contents are compared. */
  file: optionalText("file"),
  ...pageView,
  /** Whether the merge of `to` into `from` is being prepared. */
  isMerging: flag("merge"),
};

export const commitView = { direction: lineageView.direction, depth: lineageView.depth, ...pageView };

/** The folders around a folder, outermost first: `a/b/` → `a/`, `a/b/`. */
export function foldersOf(folder: string): string[] {
  const parts = folder.split("/").filter(Boolean);
  return parts.map((_, index) => `${parts.slice(0, index + 1).join("/")}/`);
}

/** The folder that a file lies in, with `/` at its end. */
export const folderOf = (file: string) => file.slice(0, file.lastIndexOf("/") + 1);

/** The last part of a path: `a/b/` → `b`, `a/x.csv` → `x.csv`. */
export const lastPart = (path: string) => path.replace(/\/$/, "").split("/").at(-1) ?? path;

export const shortCommit = (id: string) => id.slice(0, 12);
