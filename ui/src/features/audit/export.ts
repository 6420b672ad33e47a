// The filtered events as a file. Bounded: a browser should not hold a whole company's history.
import { native, type AuditQuery, type LedgerEvent } from "../../api/native";

export const exportedAtMost = 20_000;
const pageSize = 1000;

export type ExportFormat = "jsonl" | "csv";

export async function collectEvents(project: string, filter: AuditQuery, onProgress: (count: number) => void, signal: AbortSignal): Promise<{ events: LedgerEvent[]; isPartial: boolean }> {
  const events: LedgerEvent[] = [];
  let pageToken: string | undefined;
  do {
    const page = await native.audit(project, { ...filter, max_results: pageSize, page_token: pageToken }, signal);
    events.push(...page.events);
    pageToken = page.next_page_token;
    onProgress(events.length);
  } while (pageToken && events.length < exportedAtMost);
  return { events, isPartial: pageToken !== undefined };
}

export const printJsonl = (events: LedgerEvent[]): string => events.map((event) => `${JSON.stringify(event)}\n`).join("");

const columns: [string, (event: LedgerEvent) => unknown][] = [
  ["position", (event) => event.position ?? ""],
  ["at", (event) => new Date(event.at_ms).toISOString()],
  ["actor_kind", (event) => event.actor.kind],
  ["actor", (event) => event.actor.name],
  ["action", (event) => event.action],
  ["subject", (event) => event.subject],
  ["project", (event) => event.project],
  ["detail", (event) => JSON.stringify(event.detail ?? {})],
  ["edges", (event) => event.edges.map(({ from, kind, to }) => `${from} ${kind} ${to}`).join("; ")],
  ["request_id", (event) => event.request_id],
  ["id", (event) => event.id],
  ["hash", (event) => event.hash ?? ""],
];

export function printCsv(events: LedgerEvent[]): string {
  const lines = [columns.map(([name]) => name), ...events.map((event) => columns.map(([, read]) => String(read(event))))];
  return lines.map((cells) => `${cells.map(printCell).join(",")}\r\n`).join("");
}

function printCell(text: string): string {
  // A spreadsheet would run a cell that begins like a formula; names come from whoever calls the server.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
