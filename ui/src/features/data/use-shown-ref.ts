import { useQuery } from "@tanstack/react-query";
import type { RefKind } from "../../api/native";
import { changeCountQuery, type Refs } from "./queries";

interface ShownRef {
  /** None for a commit. */
  kind: RefKind | undefined;
  /** How many changes on it are not committed. */
  changes: number | undefined;
}

/** What kind of ref is shown, and how much on it is not committed; `isWatched` where that itself is shown. */
export function useShownRef(project: string, repository: string, revision: string, refs: Refs | undefined, isWatched: boolean): ShownRef {
  const listed = refs && [...refs.branches, ...refs.tags].find(({ name }) => name === revision)?.kind;
  // Where not all refs were read, it is a branch if the server counts changes on it.
  const isAsked = listed === "branch" || (refs?.isCut === true && !listed);
  const { data: changes } = useQuery({ ...changeCountQuery(project, repository, revision, isWatched), enabled: isAsked });
  if (isAsked && changes !== undefined) return { kind: "branch", changes };
  return { kind: listed as RefKind | undefined, changes: undefined };
}
