import { Fragment, useState } from "react";
import type { Approval } from "../../api/pipelines";
import { AppLink, useProject } from "../../app/navigation";
import { paths } from "../../app/paths";
import { formatDateTime } from "../../components/format";
import { Ago } from "../../components/time";
import { ApprovalContext } from "./approval-context";
import { DecideButtons } from "./decide";
import "./pipelines.css";

interface ApprovalListProps {
  approvals: readonly Approval[];
  onDone: () => Promise<void>;
  /** On a page that has little room: without who asked and until when. */
  isShort?: boolean;
  /** How many of the first say at once what they are about. That is a run with its metrics and versions: of the others it is read where somebody looks. */
  openAtFirst?: number;
}

/** Jobs that wait for people, a row each, with the buttons to decide. */
export function ApprovalList({ approvals, onDone, isShort, openAtFirst = 0 }: ApprovalListProps) {
  const project = useProject();
  return (
    <table className={isShort ? "table inset" : "table sticky"}>
      <thead>
        <tr>
          <th>What waits</th>
          {isShort ? null : <th className="roomy">Started by</th>}
          <th className={isShort ? "number roomiest" : "number roomy"}>Waits since</th>
          {isShort ? null : <th className="number roomy">Until</th>}
          <th className="number roomy">Approved</th>
          {isShort ? null : <th className="roomy">Said so far</th>}
          <th className="actions-cell">Decide</th>
        </tr>
      </thead>
      <tbody>
        {approvals.map((approval, index) => (
          <Fragment key={`${approval.pipeline_run_id}/${approval.job}`}>
            <tr>
              <td className={isShort ? "wide ellipsis" : "nowrap"}>
                <AppLink href={paths.pipelineRun(project, approval.pipeline_run_id, { job: approval.job })}>{approval.job} <span className="secondary">of {approval.pipeline} #{approval.number}</span></AppLink>
              </td>
              {isShort ? null : <td className="nowrap secondary roomy">{approval.requested_by}</td>}
              <td className={isShort ? "number secondary roomiest" : "number secondary roomy"}><Ago atMs={approval.since_ms} /></td>
              {isShort ? null : <td className="number nowrap secondary roomy">{formatDateTime(approval.until_ms)}</td>}
              <td className="number nowrap roomy">{approvedWords(approval)}</td>
              {isShort ? null : <td className="wide ellipsis secondary roomy">{approval.decisions.map(({ username, decision, comment }) => `${username}: ${comment || decision}`).join("; ")}</td>}
              <td className="actions-cell"><DecideButtons asked={askedOf(approval)} onDone={onDone} /></td>
            </tr>
            {isShort ? null : <tr className="approval-context"><td colSpan={7}><About approval={approval} isOpen={index < openAtFirst} /></td></tr>}
          </Fragment>
        ))}
      </tbody>
    </table>
  );
}

function About({ approval, isOpen }: { approval: Approval; isOpen: boolean }) {
  const [isAsked, setAsked] = useState(false);
  const context = <ApprovalContext runId={approval.pipeline_run_id} job={approval.job} />;
  if (isOpen) return context;
  return (
    <details onToggle={(event) => setAsked(event.currentTarget.open)}>
      <summary>What it is about</summary>
      {isAsked ? context : null}
    </details>
  );
}

export const approvedWords = ({ decisions, min }: Pick<Approval, "decisions" | "min">) => `${decisions.filter(({ decision }) => decision === "approve").length} of ${min}`;

export const askedOf = ({ pipeline_run_id: runId, pipeline, number, job, requested_by: requestedBy, decisions: decided }: Approval) => ({ runId, pipeline, number, job, requestedBy, decided });
