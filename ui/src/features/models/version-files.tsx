import { useQuery } from "@tanstack/react-query";
import { Download, File, Folder } from "lucide-react";
import { AppLink, useProject, useSearchParams } from "../../app/navigation";
import { paths } from "../../app/paths";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatBytes } from "../../components/format";
import { Section } from "../../components/page";
import { fileUrl, filesQuery, type FileLocation } from "./files";

interface VersionFilesProps {
  name: string;
  version: string;
  location: FileLocation;
  folder: string;
}

export function VersionFiles({ name, version, location, folder }: VersionFilesProps) {
  const project = useProject();
  const search = useSearchParams();
  const files = useQuery(filesQuery(project, location, folder));
  if (location.kind === "elsewhere") {
    return (
      <Section title="Files">
        <p className="secondary">They lie outside of this server, at <code className="breakable">{location.uri}</code>.</p>
      </Section>
    );
  }
  const hrefOf = (path: string) => {
    const { path: _, ...others } = search;
    return paths.version(project, name, version, path ? { ...others, path } : others);
  };
  const parts = folder.split("/").filter(Boolean);
  const sorted = [...(files.data ?? [])].sort((a, b) => Number(b.is_dir) - Number(a.is_dir) || a.path.localeCompare(b.path));
  return (
    <Section title="Files" count={files.data?.length}>
      {parts.length ? (
        <nav className="row wrap" aria-label="Folder">
          <AppLink href={hrefOf("")}>{name}</AppLink>
          {parts.map((part, index) => (
            <span key={index} className="row">
              <span className="muted">/</span>
              {index === parts.length - 1 ? part : <AppLink href={hrefOf(parts.slice(0, index + 1).join("/"))}>{part}</AppLink>}
            </span>
          ))}
        </nav>
      ) : null}
      {files.error ? <ErrorNote error={files.error} /> : null}
      {files.isPending ? <SkeletonRows count={3} /> : null}
      {files.data && !sorted.length ? <p className="muted">There is no file here.</p> : null}
      {sorted.length ? (
        <table className="table inset">
          <thead>
            <tr>
              <th>Name</th>
              <th className="number">Size</th>
              <th><span className="visually-hidden">Download</span></th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((file) => {
              const label = file.path.split("/").at(-1);
              const href = fileUrl(project, name, version, location, file.path);
              return (
                <tr key={file.path}>
                  <td className="wide">
                    <span className="row">
                      {file.is_dir ? <Folder size={14} aria-hidden="true" className="muted" /> : <File size={14} aria-hidden="true" className="muted" />}
                      {file.is_dir ? <AppLink className="ellipsis" href={hrefOf(file.path)}>{label}</AppLink> : <span className="ellipsis">{label}</span>}
                    </span>
                  </td>
                  <td className="number secondary nowrap">{file.is_dir ? "" : file.file_size === undefined ? "–" : formatBytes(file.file_size)}</td>
                  <td className="actions-cell">
                    {file.is_dir ? null : (
                      <a className="button ghost small icon" href={href} download={label} aria-label={`Download ${label}`} title={`Download ${label}`}>
                        <Download size={14} aria-hidden="true" />
                      </a>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      ) : null}
    </Section>
  );
}
