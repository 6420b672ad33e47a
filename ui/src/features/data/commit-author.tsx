import type { DataCommit } from "../../api/native";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { shortId } from "../../components/format";

/** Who made a commit; a run by a link to its page. */
export function CommitAuthor({ commit: { author, author_kind: kind } }: { commit: DataCommit }) {
  const project = useProject();
  return kind === "run" ? <AppLink href={paths.run(project, author)}>run {shortId(author)}</AppLink> : author;
}
