// Approving and rejecting: who may, and the form that asks why.
import { Check, X } from "lucide-react";
import { useState } from "react";
import { pipelines, type Decision, type PipelineRun } from "../../api/pipelines";
import { useProject } from "../../app/navigation";
import { useCanManage, useWhoAmI } from "../../app/session";
import { Button } from "../../components/button";
import { FormDialog } from "../../components/dialog";
import { Field } from "../../components/fields";
import { notify } from "../../components/toast";

interface Asked {
  runId: string;
  pipeline: string;
  number: number;
  job: string;
  requestedBy: PipelineRun["actor"];
  decided: readonly Decision[];
}

/** Whether the caller may approve what `requestedBy` started; if not, why. */
export function useMayDecide(): (requestedBy: string) => { reject: boolean; approve: boolean; why?: string } {
  const canManage = useCanManage();
  const { actor, is_admin: isAdmin } = useWhoAmI();
  return (requestedBy) => {
    if (!canManage) return { reject: false, approve: false, why: "Maintainers of the project decide." };
    if (requestedBy === actor.name && !isAdmin) return { reject: true, approve: false, why: "You started this run; another person must approve it." };
    return { reject: true, approve: true };
  };
}

export function DecideButtons({ asked, onDone }: { asked: Asked; onDone: () => Promise<void> }) {
  const [deciding, setDeciding] = useState<Decision["decision"]>();
  const { actor } = useWhoAmI();
  const may = useMayDecide()(asked.requestedBy);
  const own = asked.decided.find((one) => one.username === actor.name);
  return (
    <span className="row decide">
      {own ? <span className="secondary">You have {own.decision === "approve" ? "approved" : "rejected"} it.</span> : null}
      {may.why ? <span className="secondary">{may.why}</span> : null}
      {may.approve && own?.decision !== "approve" ? <Button size="small" variant="primary" icon={<Check size={13} />} onClick={() => setDeciding("approve")} aria-label={`Approve ${asked.job} of ${asked.pipeline} #${asked.number}`}>Approve…</Button> : null}
      {may.reject ? <Button size="small" variant="danger" icon={<X size={13} />} onClick={() => setDeciding("reject")} aria-label={`Reject ${asked.job} of ${asked.pipeline} #${asked.number}`}>Reject…</Button> : null}
      {deciding ? <DecideDialog asked={asked} decision={deciding} onOpenChange={() => setDeciding(undefined)} onDone={onDone} /> : null}
    </span>
  );
}

interface DecideDialogProps {
  asked: Asked;
  decision: Decision["decision"];
  onOpenChange: (open: boolean) => void;
  onDone: () => Promise<void>;
}

function DecideDialog({ asked: { runId, pipeline, number, job }, decision, onOpenChange, onDone }: DecideDialogProps) {
  const project = useProject();
  const [comment, setComment] = useState("");
  const isApproval = decision === "approve";
  const decide = async () => {
    await pipelines.decide(project, runId, job, decision, comment.trim());
    notify(`${job} of ${pipeline} #${number} was ${isApproval ? "approved" : "rejected"}`);
    await onDone();
  };
  return (
    <FormDialog
      open
      onOpenChange={onOpenChange}
      title={`${isApproval ? "Approve" : "Reject"} ${job} of ${pipeline} #${number}?`}
      about={isApproval ? "The jobs that wait for it begin once enough people have approved." : "The job fails, and what needs it is left out."}
      action={isApproval ? "Approve" : "Reject"}
      danger={!isApproval}
      onSubmit={decide}
    >
      <Field label="Comment" help="Kept with the decision, for everybody who reads the run later.">
        {(id) => <textarea id={id} className="textarea" rows={3} value={comment} onChange={(event) => setComment(event.target.value)} />}
      </Field>
    </FormDialog>
  );
}
