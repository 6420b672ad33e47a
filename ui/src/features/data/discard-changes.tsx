import { useQuery, useQueryClient } from "@tanstack/react-query";
import { native } from "../../api/native";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { ErrorNote } from "../../components/error-note";
import { plural } from "../../components/format";
import { notify } from "../../components/toast";
import { PathList } from "./path-list";
import { changesQuery } from "./queries";

interface DiscardChangesProps {
  repository: string;
  branch: string;
  /** A file, a folder with `/` at its end, or any other beginning of paths; empty for all. */
  prefix: string;
  onOpenChange: (open: boolean) => void;
}

/** Drops what is staged. The server takes whatever begins with the prefix, more than one file where names continue: all is named. */
export function DiscardChanges({ repository, branch, prefix, onOpenChange }: DiscardChangesProps) {
  const project = useProject();
  const queries = useQueryClient();
  const found = useQuery(changesQuery(project, repository, branch, prefix));
  const { changes = [], next_page_token: next } = found.data ?? {};
  const discard = async () => {
    const { changes: count } = await native.discard(project, repository, branch, prefix);
    notify(`${plural(count, "change")} discarded`);
    await queries.invalidateQueries({ queryKey: ["data", project, repository] });
  };
  const only = changes.length === 1 && changes[0]!.path === prefix;
  return (
    <FormDialog
      open
      danger
      onOpenChange={onOpenChange}
      title={!prefix ? `Discard what is not committed on ${branch}` : only ? `Discard the change of ${prefix}` : `Discard all changes whose paths begin with ${prefix}`}
      about="The branch holds there again what its last commit holds. What was uploaded or deleted since, by anybody, cannot be brought back."
      action={prefix ? "Discard" : "Discard all"}
      disabled={!found.data}
      onSubmit={discard}
    >
      {found.error ? <ErrorNote error={found.error} /> : null}
      {found.isPending ? <p className="secondary">Looking for what would go…</p> : null}
      {changes.length ? (
        <>
          <p className="secondary">{next ? `More than ${plural(changes.length, "change")}` : plural(changes.length, "change")}:</p>
          <PathList paths={changes.map(({ path }) => path)} count={changes.length} />
        </>
      ) : null}
    </FormDialog>
  );
}
