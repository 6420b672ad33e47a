import { useQuery, useQueryClient } from "@tanstack/react-query";
import { native, type RefKind } from "../../api/native";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { ErrorNote } from "../../components/error-note";
import { plural } from "../../components/format";
import { notify } from "../../components/toast";
import { changeCountQuery, refsQuery } from "./queries";

interface DeleteRefProps {
  repository: string;
  kind: RefKind;
  name: string;
  onOpenChange: (open: boolean) => void;
  /** Leads to another ref: what is shown of this one is not there any more. */
  onDone: () => void;
}

/** Deletes a branch or a tag, and says beforehand what goes with it. */
export function DeleteRef({ repository, kind, name, onOpenChange, onDone }: DeleteRefProps) {
  const project = useProject();
  const queries = useQueryClient();
  // The tab's count may be a minute old: what is lost is said by what the branch holds now.
  const staged = useQuery({ ...changeCountQuery(project, repository, name), enabled: kind === "branch", refetchOnMount: "always" });
  const lost = staged.isFetchedAfterMount && !staged.error ? staged.data : undefined;
  const remove = async () => {
    await native.deleteRef(project, repository, kind, name);
    notify(`The ${kind} ${name} was deleted`);
    await queries.invalidateQueries({ queryKey: ["data", project, repository], refetchType: "none" });
    onDone();
    await queries.invalidateQueries({ queryKey: refsQuery(project, repository).queryKey });
  };
  return (
    <FormDialog
      open
      danger
      onOpenChange={onOpenChange}
      title={`Delete the ${kind} ${name}`}
      about="Its commits stay: each is found by its id, and what was made with one still says so."
      action={`Delete ${kind}`}
      disabled={kind === "branch" && lost === undefined}
      onSubmit={remove}
    >
      {staged.error ? <ErrorNote error={staged.error} /> : null}
      {lost === undefined ? null : (
        <p role="status">{lost ? `${plural(lost, "change")} on it ${lost === 1 ? "is" : "are"} not committed and would be lost for good.` : "Everything on it is committed."}</p>
      )}
    </FormDialog>
  );
}
