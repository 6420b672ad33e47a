import { QueryClientContext } from "@tanstack/react-query";
import { CircleAlert } from "lucide-react";
import { useContext } from "react";
import { ApiError } from "../api/http";
import { Button } from "./button";

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
      <TryAgain error={error} />
    </div>
  );
}

/** Asks once more for what ended with the error. A change that was refused is no query: its form sends it again. */
function TryAgain({ error }: { error: unknown }) {
  const queries = useContext(QueryClientContext);
  const failed = { type: "active", predicate: ({ state }: { state: { error: unknown } }) => state.error === error } as const;
  if (!queries?.getQueryCache().findAll(failed).length) return null;
  return <Button size="small" className="push" onClick={() => void queries.refetchQueries(failed)}>Try again</Button>;
}
