import { useState, type ReactNode } from "react";
import { useDraft } from "../../app/use-draft";
import { matcher } from "../../charts/metric-groups";
import { byName } from "../../components/by-name";
import { Button } from "../../components/button";
import { SearchField } from "../../components/fields";
import { formatCount } from "../../components/format";
import { Section } from "../../components/page";

interface KeyValuesProps<T extends { key: string }> {
  title: string;
  rows: T[];
  heads: ReactNode;
  empty: string;
  actions?: ReactNode;
  /** Where the page keeps the search in its URL; without these it lasts as long as the table. */
  search?: string;
  onSearch?: (search: string) => void;
  children: (row: T) => ReactNode;
}

const shownAtFirst = 100;
const searchedFrom = 9;

/** A section with a table of keys, with a search once there are many. */
export function KeyValues<T extends { key: string }>({ title, rows, heads, empty, actions, search: given, onSearch, children }: KeyValuesProps<T>) {
  const [own, setOwn] = useState("");
  const search = given ?? own;
  const [draft, setDraft] = useDraft(search, onSearch ?? setOwn);
  const [isWhole, setWhole] = useState(false);
  const found = [...rows].sort((a, b) => byName(a.key, b.key)).filter(({ key }) => matcher(search)(key));
  const shown = isWhole ? found : found.slice(0, shownAtFirst);
  const searchField = rows.length >= searchedFrom ? <SearchField label={`Search ${title.toLowerCase()}`} value={draft} onChange={setDraft} style={{ width: 180 }} /> : null;
  return (
    <Section title={title} count={rows.length} actions={searchField || actions ? <>{searchField}{actions}</> : undefined}>
      {rows.length ? (
        <table className="table inset">
          <thead>
            <tr>{heads}</tr>
          </thead>
          <tbody>{shown.map((row) => <tr key={row.key}>{children(row)}</tr>)}</tbody>
        </table>
      ) : (
        <p className="muted">{empty}</p>
      )}
      {rows.length && !found.length ? <p className="muted">Nothing matches “{search}”.</p> : null}
      {shown.length < found.length ? (
        <div>
          <Button size="small" onClick={() => setWhole(true)}>Show all {formatCount(found.length)}</Button>
        </div>
      ) : null}
    </Section>
  );
}
