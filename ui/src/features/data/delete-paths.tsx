import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { native } from "../../api/native";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { ErrorNote } from "../../components/error-note";
import { formatBytes, formatCount, plural } from "../../components/format";
import { notify } from "../../components/toast";
import { eachOf } from "./each-of";
import type { Entry } from "./marks";
import { PathList } from "./path-list";

interface DeletePathsProps {
  repository: string;
  branch: string;
  selected: Entry[];
  onOpenChange: (open: boolean) => void;
  onDone: () => void;
}

/** Stages the removal of files; folders are looked through first, so that it is said how much goes. */
export function DeletePaths({ repository, branch, selected, onOpenChange, onDone }: DeletePathsProps) {
  const project = useProject();
  const queries = useQueryClient();
  const [tried, setTried] = useState<{ done: number; count: number; isOver: boolean }>();
  const found = useQuery({
    queryKey: ["data", project, repository, "below", branch, selected],
    queryFn: ({ signal }) => findFiles((query) => native.objects(project, repository, branch, query, signal), selected),
    gcTime: 0,
  });
  const files = found.data ?? [];
  const remove = async (signal: AbortSignal) => {
    let done = 0;
    const tell = (isOver: boolean) => setTried({ done, count: files.length, isOver });
    const removeOne = async ({ path }: FoundFile) => {
      await native.deleteObject(project, repository, branch, path, signal);
      done += 1;
      tell(false);
    };
    tell(false);
    try {
      await eachOf(files, removeOne, signal);
    } finally {
      // The page may be gone by now: what became of it is said all the same.
      notify(`${signal.aborted ? "Stopped: " : ""}${formatCount(done)} of ${plural(files.length, "file")} deleted on ${branch}`);
      await queries.invalidateQueries({ queryKey: ["data", project, repository] });
      tell(true);
    }
    onDone();
  };
  const size = `${plural(files.length, "file")}, ${formatBytes(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))}`;
  const isAtWork = tried?.isOver === false;
  const so = tried && `${formatCount(tried.done)} of ${plural(tried.count, "file")} deleted`;
  return (
    <FormDialog
      open
      danger
      canStop
      onOpenChange={onOpenChange}
      title={found.data ? `Delete ${plural(isAtWork ? tried.count : files.length, "file")} on ${branch}` : `Delete on ${branch}`}
      about="Commits keep what they hold; until the next commit this can be discarded."
      action="Delete"
      disabled={!files.length}
      onSubmit={remove}
    >
      {found.error ? <ErrorNote error={found.error} /> : null}
      <PathList paths={selected.map(({ path }) => path)} count={selected.length} />
      <p className="secondary" role="status">
        {isAtWork ? so : found.isPending ? "Looking through the folders…" : found.data ? `${tried ? `It ended with ${so}; left: ` : ""}${size}.` : null}
      </p>
    </FormDialog>
  );
}

interface FoundFile {
  path: string;
  sizeBytes: number;
}

type List = (query: { prefix: string; page_token?: string; max_results: number }) => Promise<{ objects: { path: string; size_bytes: number }[]; next_page_token?: string }>;

/** The files that are marked, and those below the folders that are. */
export async function findFiles(list: List, selected: Entry[]): Promise<FoundFile[]> {
  const files = new Map<string, number>();
  for (const { path, isFolder } of selected) {
    let token: string | undefined;
    do {
      const page = await list({ prefix: path, page_token: token, max_results: isFolder ? 1000 : 1 });
      for (const object of page.objects) if (isFolder || object.path === path) files.set(object.path, object.size_bytes);
      token = isFolder ? page.next_page_token : undefined;
    } while (token);
  }
  return [...files].map(([path, sizeBytes]) => ({ path, sizeBytes }));
}
