import type { TokenEntry } from "../../api/native";
import { Button } from "../../components/button";
import { formatDate, formatDateTime, shortId } from "../../components/format";
import { Ago } from "../../components/time";
import { scopeWords } from "./scopes";

export function TokenTable({ tokens, onRevoke }: { tokens: TokenEntry[]; onRevoke: (token: TokenEntry) => void }) {
  return (
    <table className="table sticky">
      <thead>
        <tr>
          <th>Name</th>
          <th>Acts as</th>
          <th>May</th>
          <th>Where</th>
          <th className="number">Created</th>
          <th className="number">Ends</th>
          <th className="number">Last used</th>
          <th><span className="visually-hidden">Actions</span></th>
        </tr>
      </thead>
      <tbody>
        {tokens.map((token) => (
          <tr key={token.id}>
            <td className="wide ellipsis"><strong>{token.name}</strong> <span className="mono muted">{shortId(token.id)}</span></td>
            <td className="nowrap">{token.kind === "service" ? "a service" : token.owner}</td>
            <td className="nowrap">{scopeWords[token.scope].toLowerCase()}</td>
            <td className="nowrap secondary">{token.kind === "service" ? `${token.role} of ${token.project}` : "every project"}</td>
            <td className="number secondary"><Ago atMs={token.created_at_ms} /></td>
            <td className="number nowrap"><Ending atMs={token.expires_at_ms} /></td>
            <td className="number secondary">{token.last_used_at_ms ? <Ago atMs={token.last_used_at_ms} /> : <span className="muted">never</span>}</td>
            <td className="actions-cell">
              <Button size="small" onClick={() => onRevoke(token)} aria-label={`Revoke ${token.name}`}>Revoke</Button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const soonMs = 7 * 86_400_000;

function Ending({ atMs }: { atMs: number | null | undefined }) {
  if (!atMs) return <span className="muted">never</span>;
  const left = atMs - Date.now();
  if (left <= 0) return <span className="chip bad" title={formatDateTime(atMs)}>ended</span>;
  return (
    <span className={left < soonMs ? "ends-soon" : "secondary"} title={formatDateTime(atMs)}>
      {left < soonMs ? `in ${Math.max(1, Math.round(left / 86_400_000))} d` : formatDate(atMs)}
    </span>
  );
}
