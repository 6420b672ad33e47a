import { useQuery } from "@tanstack/react-query";
import { Link2, ShieldAlert, ShieldCheck, X } from "lucide-react";
import { native } from "../../api/native";
import { useProject } from "../../app/navigation";
import { Button, IconButton } from "../../components/button";
import { CopyButton } from "../../components/copy";
import { ErrorNote } from "../../components/error-note";
import { formatCount, plural } from "../../components/format";
import { Ago } from "../../components/time";

/** Recomputes every hash of the ledger in the server, and says what came out. */
export function VerificationPanel({ onClose }: { onClose: () => void }) {
  const project = useProject();
  const check = useQuery({
    queryKey: ["audit-verify"],
    queryFn: ({ signal }) => native.verifyAudit(project, signal),
    staleTime: 0,
    gcTime: 0,
  });
  const result = check.data;
  const again = (
    <div className="row push">
      {check.dataUpdatedAt ? <span className="muted">checked <Ago atMs={check.dataUpdatedAt} /></span> : null}
      <Button size="small" disabled={check.isFetching} onClick={() => void check.refetch()}>Check again</Button>
      <IconButton size="small" label="Close the check" icon={<X size={14} />} onClick={onClose} />
    </div>
  );

  if (check.error) {
    return (
      <div className="verification">
        <ErrorNote error={check.error} title="The chain could not be checked" />
        {again}
      </div>
    );
  }
  if (!result || check.isFetching) {
    return (
      <div className="verification" role="status">
        <Link2 size={16} aria-hidden="true" />
        <span>Recomputing the hash of every event…</span>
      </div>
    );
  }
  if (!result.verified) {
    return (
      <div className="verification broken" role="alert">
        <ShieldAlert size={18} aria-hidden="true" />
        <div>
          <strong>The chain is broken{result.first_broken ? ` at position ${formatCount(result.first_broken.position)}:` : "."}</strong>{" "}
          {result.first_broken ? (
            <>
              {result.first_broken.reason}. {result.first_broken.event_id ? <>Event <code>{result.first_broken.event_id}</code>. </> : null}
              What stands before it is as it was sealed; from there on the log cannot be trusted. Compare with a backup.
            </>
          ) : null}
        </div>
        {again}
      </div>
    );
  }
  return (
    <div className="verification sound" role="status">
      <ShieldCheck size={18} aria-hidden="true" />
      <div>
        <strong>Chain verified.</strong> {plural(result.events, "event")} of all projects in {plural(result.batches, "batch", "batches")} are as they were sealed
        {result.unsealed ? `; ${plural(result.unsealed, "newer event")} will be sealed in a moment` : ""}.
        <div className="row wrap secondary">
          Head <code className="ellipsis">{result.head}</code>
          <CopyButton text={result.head} label="Copy the head of the chain" />
          <span className="muted">kept elsewhere, it proves that nothing before it was rewritten</span>
        </div>
      </div>
      {again}
    </div>
  );
}
