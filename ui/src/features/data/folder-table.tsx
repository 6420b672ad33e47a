import { File, Folder, FolderDot } from "lucide-react";
import type { DataObject } from "../../api/native";
import { AppLink } from "../../app/navigation";
import { formatBytes } from "../../components/format";
import { Ago } from "../../components/time";
import { fileEntry, folderEntry, isMarked, isMarker, type Entry, type Marks } from "./marks";
import { lastPart } from "./view";

interface FolderTableProps {
  prefixes: string[];
  objects: DataObject[];
  hrefOf: (patch: { folder: string } | { file: string }) => string;
  marks: Marks;
  /** Unset where nothing can be marked. */
  onMark?: (entries: Entry[], isOn: boolean) => void;
}

/** What lies in a folder: folders first, then files. */
export function FolderTable({ prefixes, objects, hrefOf, marks, onMark }: FolderTableProps) {
  const all = [...prefixes.map(folderEntry), ...objects.map(fileEntry)];
  const mark = (entry: Entry, label: string) => (onMark ? <MarkCell label={label} isOn={isMarked(marks, entry)} onChange={(isOn) => onMark([entry], isOn)} /> : null);
  return (
    <table className="table sticky">
      <thead>
        <tr>
          {onMark ? (
            <th className="mark-cell">
              <input type="checkbox" aria-label="Mark all that is listed" checked={all.every((entry) => isMarked(marks, entry))} onChange={(event) => onMark(all, event.target.checked)} />
            </th>
          ) : null}
          <th>Name</th>
          <th className="number">Size</th>
          <th className="number">Written</th>
        </tr>
      </thead>
      <tbody>
        {prefixes.map((folder) => (
          <tr key={folder}>
            {mark(folderEntry(folder), `Mark ${lastPart(folder)}`)}
            <td className="wide"><span className="row"><Folder size={14} aria-hidden="true" /><AppLink href={hrefOf({ folder })}>{lastPart(folder)}</AppLink></span></td>
            <td />
            <td />
          </tr>
        ))}
        {objects.map((object) => (
          <tr key={`file ${object.path}`}>
            {mark(fileEntry(object), isMarker(object.path) ? "Mark the folder marker alone" : `Mark ${lastPart(object.path)}`)}
            <td className="wide"><FileName path={object.path} href={hrefOf({ file: object.path })} /></td>
            <td className="number nowrap secondary">{formatBytes(object.size_bytes)}</td>
            <td className="number secondary"><Ago atMs={object.modified_at_ms} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function FileName({ path, href }: { path: string; href: string }) {
  if (!isMarker(path)) return <span className="row"><File size={14} aria-hidden="true" /><AppLink href={href}>{lastPart(path)}</AppLink></span>;
  return (
    <span className="row" title="A file that S3 clients write so that a folder stays where nothing else is in it">
      <FolderDot size={14} aria-hidden="true" /><AppLink href={href}>Folder marker</AppLink><code className="muted">{lastPart(path)}/</code>
    </span>
  );
}

function MarkCell({ label, isOn, onChange }: { label: string; isOn: boolean; onChange: (isOn: boolean) => void }) {
  return <td className="mark-cell"><input type="checkbox" aria-label={label} checked={isOn} onChange={(event) => onChange(event.target.checked)} /></td>;
}
