import { CircleAlert } from "lucide-react";
import { ApiError } from "../api/http";

/** What went wrong, why, and what to do: the server's own words. */
export function ErrorNote({ error, title }: { error: unknown; title?: string }) {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof ApiError ? error.hint : undefined;
  const requestId = error instanceof ApiError ? error.requestId : undefined;
  return (
    <div className="note error" role="alert">
      <CircleAlert size={16} aria-hidden="true" />
      <div>
        {title ? <strong>{title}: </strong> : null}
        {message}
        {hint ? <div className="note-hint">{hint}</div> : null}
        {requestId ? <div className="note-hint mono">request {requestId}</div> : null}
      </div>
    </div>
  );
}
