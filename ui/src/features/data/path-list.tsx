import { formatCount } from "../../components/format";

const namedAtMost = 8;

/** The first paths of what is changed, and how many more there are. */
export function PathList({ paths, count }: { paths: string[]; count: number }) {
  const named = paths.slice(0, namedAtMost);
  return (
    <ul className="path-list">
      {named.map((path) => <li key={path}><code>{path}</code></li>)}
      {count > named.length ? <li className="muted">and {formatCount(count - named.length)} more</li> : null}
    </ul>
  );
}
