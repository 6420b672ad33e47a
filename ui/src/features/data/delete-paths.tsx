import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { native } from "../../api/native";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { ErrorNote } from "../../components/error-note";
import { formatBytes, plural } from "../../components/format";
import { notify } from "../../components/toast";

const atOnce = 4;
const namedAtMost = 8;

interface DeletePathsProps {
  repository: string;
  branch: string;
  /** Files, and folders with `/` at their end. */
  selected: string[];
  onOpenChange: (open: boolean) => void;
  onDone: () => void;
}

/** Stages the removal of files; folders are looked through first, so that it is said how much goes. */
export function DeletePaths({ repository, branch, selected, onOpenChange, onDone }: DeletePathsProps) {
  const project = useProject();
  const queries = useQueryClient();
  const [gone, setGone] = useState(0);
  const found = useQuery({
    queryKey: ["data", project, repository, "below", branch, selected],
    queryFn: ({ signal }) => findFiles(project, repository, branch, selected, signal),
    gcTime: 0,
  });
  const files = found.data ?? [];
  const remove = async () => {
    const left = files.map(({ path }) => path);
    const work = async () => {
      for (let path = left.shift(); path !== undefined; path = left.shift()) {
        await native.deleteObject(project, repository, branch, path);
        setGone((count) => count + 1);
      }
    };
    try {
      await Promise.all(Array.from({ length: atOnce }, work));
    } finally {
      left.length = 0;
      await queries.invalidateQueries({ queryKey: ["data", project, repository] });
    }
    notify(`${plural(files.length, "file")} deleted on ${branch}`);
    onDone();
  };
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return (
    <FormDialog
      open
      danger
      onOpenChange={onOpenChange}
      title={found.data ? `Delete ${plural(files.length, "file")} on ${branch}` : `Delete on ${branch}`}
      about="Commits keep what they hold; until the next commit this can be discarded."
      action="Delete"
      disabled={!files.length}
      onSubmit={remove}
    >
      {found.error ? <ErrorNote error={found.error} /> : null}
      <ul className="path-list">
        {selected.slice(0, namedAtMost).map((path) => <li key={path}><code>{path}</code></li>)}
        {selected.length > namedAtMost ? <li className="muted">and {selected.length - namedAtMost} more</li> : null}
      </ul>
      <p className="secondary" role="status">
        {found.isPending ? "Looking through the folders…" : gone ? `${gone} of ${plural(files.length, "file")} deleted` : `${plural(files.length, "file")}, ${formatBytes(bytes)}.`}
      </p>
    </FormDialog>
  );
}

async function findFiles(project: string, repository: string, branch: string, selected: string[], signal: AbortSignal) {
  const files = new Map<string, number>();
  for (const path of selected) {
    let token: string | undefined;
    do {
      const isFolder = path.endsWith("/");
      const page = await native.objects(project, repository, branch, { prefix: path, page_token: token, max_results: isFolder ? 1000 : 1 }, signal);
      for (const object of page.objects) if (isFolder || object.path === path) files.set(object.path, object.size_bytes);
      token = isFolder ? page.next_page_token : undefined;
    } while (token);
  }
  return [...files].map(([path, size]) => ({ path, size }));
}
