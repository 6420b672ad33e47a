import { useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { native, type DataCommit, type MergeConflicts, type MergeOutcome, type Side } from "../../api/native";
import { useProject } from "../../app/navigation";
import { FormDialog } from "../../components/dialog";
import { ErrorNote } from "../../components/error-note";
import { Field, Segmented } from "../../components/fields";
import { plural } from "../../components/format";
import { notify } from "../../components/toast";
import { Conflicts } from "./conflicts";
import { conflictsOf, relationOf, rulesOf, type Relation } from "./merging";
import { logQuery, refsQuery, repositoryQuery } from "./queries";
import { shortCommit } from "./view";

interface MergeProps {
  repository: string;
  source: string;
  dest: string;
  onOpenChange: (open: boolean) => void;
  onDone: (commit: DataCommit) => void;
}

/** Merges `source` into the branch `dest`; conflicts are shown by the first try and decided in the next. */
export function MergeRef({ repository, source, dest, onOpenChange, onDone }: MergeProps) {
  const project = useProject();
  const queries = useQueryClient();
  const [message, setMessage] = useState("");
  const [isAlwaysCommit, setAlwaysCommit] = useState(false);
  const [conflicts, setConflicts] = useState<MergeConflicts>();
  const [decisions, setDecisions] = useState<Record<string, Side>>({});
  const [rest, setRest] = useState<Side>();
  // What was read for another page may be old: a merge is promised, or said to be done already, by what both hold now.
  const histories = useQueries({ queries: [source, dest].map((ref) => ({ ...logQuery(project, repository, ref, undefined), refetchOnMount: "always" as const })) });
  const [theirs, ours] = histories.map(({ data, isFetchedAfterMount }) => (isFetchedAfterMount ? data : undefined));
  const unread = histories.find(({ error }) => error)?.error;
  const relation = unread ? "unread" : theirs && ours ? relationOf(theirs, ours) : undefined;
  const named = conflicts?.conflicts ?? [];
  const hasMore = conflicts !== undefined && conflicts.count > named.length;
  const decided = Object.keys(decisions).length + (rest ? 1 : 0);
  const isDecided = named.every(({ path }) => decisions[path]) && (!hasMore || rest !== undefined);

  const merge = async () => {
    try {
      const { outcome, commit } = await native.merge(project, repository, dest, {
        source,
        message: message.trim() || undefined,
        fast_forward: isAlwaysCommit ? "never" : "allowed",
        rules: rulesOf(decisions),
        strategy: hasMore ? rest : undefined,
      });
      notify(outcomeWords(outcome, dest, commit));
      await queries.invalidateQueries({ queryKey: ["data", project, repository] });
      onDone(commit);
    } catch (error) {
      const found = conflictsOf(error);
      if (!found) throw error;
      setConflicts(found);
      // Thrown on, the dialog stays open and says that nothing moved.
      throw new Error(`${plural(found.count, "file")} changed on both sides. Nothing was moved: choose what is kept.`);
    }
  };
  return (
    <FormDialog
      open
      wide
      onOpenChange={onOpenChange}
      title={`Merge ${source} into ${dest}`}
      about={<p role="status">{relation ? relationWords(relation, source, dest, isAlwaysCommit) : "Reading both histories…"}</p>}
      action={conflicts ? "Merge with these choices" : "Merge"}
      disabled={relation === "up_to_date" || !isDecided}
      unsaved={decided ? `${plural(decided, "choice")} would be lost.` : undefined}
      onSubmit={merge}
    >
      {unread ? <ErrorNote error={unread} /> : null}
      <Field label="Message" help="Empty: one is made.">
        {(id) => <textarea id={id} className="textarea" rows={2} value={message} onChange={(event) => setMessage(event.target.value)} />}
      </Field>
      <label className="check">
        <input type="checkbox" checked={isAlwaysCommit} onChange={(event) => setAlwaysCommit(event.target.checked)} />
        Make a commit even where {dest} could just move
      </label>
      {conflicts ? (
        <Conflicts conflicts={named} count={conflicts.count} source={source} dest={dest} decisions={decisions} onDecide={(patch) => setDecisions({ ...decisions, ...patch })} rest={rest} onRest={setRest} />
      ) : null}
    </FormDialog>
  );
}

function relationWords(relation: Relation | "unread", source: string, dest: string, isAlwaysCommit: boolean): string {
  if (relation === "up_to_date") return `${dest} already holds everything of ${source}: there is nothing to merge.`;
  if (relation === "fast_forward" && !isAlwaysCommit) return `A fast-forward: ${dest} has no commits of its own and just moves to ${source}.`;
  if (relation === "unread") return `A history could not be read: what a merge of ${source} into ${dest} does is known when it is tried.`;
  if (relation === "unknown") return `The histories are long: whether ${dest} can just move is known when it is merged.`;
  return `A merge commit on ${dest} joins both. Where both sides changed a file, you choose before anything moves.`;
}

function outcomeWords(outcome: MergeOutcome["outcome"], dest: string, commit: DataCommit): string {
  if (outcome === "up_to_date") return `${dest} held all of it already`;
  return outcome === "fast_forward" ? `${dest} moved to ${shortCommit(commit.id)}` : `Merged as ${shortCommit(commit.id)}`;
}

interface RevertProps {
  repository: string;
  commit: DataCommit;
  onOpenChange: (open: boolean) => void;
  onDone: (commit: DataCommit) => void;
}

/** Takes a commit's changes back by a new commit on a branch. */
export function RevertCommit({ repository, commit, onOpenChange, onDone }: RevertProps) {
  const project = useProject();
  const queries = useQueryClient();
  const refs = useQuery(refsQuery(project, repository));
  const home = useQuery(repositoryQuery(project, repository));
  const [chosen, setChosen] = useState<string>();
  const [message, setMessage] = useState("");
  const [conflicts, setConflicts] = useState<MergeConflicts>();
  const [strategy, setStrategy] = useState<Side>();
  const branch = chosen ?? home.data?.default_branch;
  const revert = async () => {
    try {
      const made = await native.revert(project, repository, branch!, { commit: commit.id, message: message.trim() || undefined, strategy });
      notify(made.outcome === "up_to_date" ? `${branch} does not hold these changes` : `Taken back by ${shortCommit(made.commit.id)}`);
      await queries.invalidateQueries({ queryKey: ["data", project, repository] });
      onDone(made.commit);
    } catch (error) {
      const found = conflictsOf(error);
      if (!found) throw error;
      setConflicts(found);
      throw new Error(`${plural(found.count, "file")} changed again since. Nothing was moved: choose what is kept.`);
    }
  };
  return (
    <FormDialog
      open
      wide={conflicts !== undefined}
      onOpenChange={onOpenChange}
      title={`Revert ${shortCommit(commit.id)}`}
      about="A new commit takes its changes back; history stays as it is."
      action="Revert"
      disabled={!branch || (conflicts !== undefined && !strategy)}
      onSubmit={revert}
    >
      <Field label="Branch">
        {(id) => (
          <select id={id} className="select" value={branch ?? ""} onChange={(event) => setChosen(event.target.value)}>
            {refs.data?.branches.map(({ name }) => <option key={name}>{name}</option>)}
          </select>
        )}
      </Field>
      <Field label="Message" help="Empty: one is made.">
        {(id) => <textarea id={id} className="textarea" rows={2} value={message} onChange={(event) => setMessage(event.target.value)} />}
      </Field>
      {conflicts ? (
        <>
          <Conflicts conflicts={conflicts.conflicts} count={conflicts.count} source="before it" dest={branch ?? ""} />
          <Segmented
            label="Where a file changed again since"
            value={strategy ?? ("" as Side)}
            options={[{ value: "source", label: "Take back all the same" }, { value: "dest", label: `Keep what ${branch} holds` }]}
            onChange={setStrategy}
          />
        </>
      ) : null}
    </FormDialog>
  );
}
