import { useQuery } from "@tanstack/react-query";
import type { RefKind } from "../../api/native";
import { changeCountQuery, type Refs } from "./queries";

/** What kind of ref is shown, none for a commit, and how many changes on it are not committed. */
export function useShownRef(project: string, repository: string, revision: string, refs: Refs | undefined): { kind: RefKind | undefined; changes: number | undefined } {
  const listed = refs && [...refs.branches, ...refs.tags].find(({ name }) => name === revision)?.kind;
  // Where not all refs were read, it is a branch if the server counts changes on it.
  const isAsked = listed === "branch" || (refs?.isCut === true && !listed);
  const { data: changes } = useQuery({ ...changeCountQuery(project, repository, revision), enabled: isAsked });
  if (isAsked && changes !== undefined) return { kind: "branch", changes };
  return { kind: listed as RefKind | undefined, changes: undefined };
}
