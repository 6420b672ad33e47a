// What a file looks like, as far as that is safe to show: never a page of HTML, whose scripts would be the file's.
import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useMemo, useState } from "react";
import { mlflow } from "../../api/mlflow";
import { useView } from "../../app/navigation";
import { CopyButton } from "../../components/copy";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { Segmented } from "../../components/fields";
import { formatBytes, formatCount } from "../../components/format";
import { artifactKind, isBinary, jsonPreviewBytes, nameOf, textPreviewBytes, type ArtifactKind } from "./artifact-kind";
import { parseCsv } from "./csv";
import { JsonTree } from "./json-tree";
import { filesView } from "./view";

const rowsAtMost = 500;

export function ArtifactPreview({ path, sizeBytes, url }: { path: string; sizeBytes: number; url: string }) {
  const kind = artifactKind(path);
  return (
    <article className="artifact-preview" aria-label={nameOf(path)}>
      <header className="row">
        <strong className="ellipsis" title={path}>{path}</strong>
        <CopyButton text={path} label="Copy the path" />
        <span className="muted nowrap">{formatBytes(sizeBytes)}</span>
        <a className="button small push" href={url} download={nameOf(path)}>
          <Download size={13} />
          Download
        </a>
      </header>
      <Body kind={kind} path={path} sizeBytes={sizeBytes} url={url} />
    </article>
  );
}

function Body({ kind, path, sizeBytes, url }: { kind: ArtifactKind; path: string; sizeBytes: number; url: string }) {
  if (sizeBytes === 0) return <p className="muted artifact-note">This file is empty.</p>;
  if (kind === "image") return <ImageOf path={path} url={url} />;
  if (kind === "page") return <p className="secondary artifact-note">A page can run code, so it is not shown here. Download it to open it.</p>;
  if (kind === "json" && sizeBytes <= jsonPreviewBytes) return <TextOf kind="json" url={url} sizeBytes={sizeBytes} atMostBytes={jsonPreviewBytes} />;
  if (kind === "unknown" && sizeBytes > textPreviewBytes) return <p className="secondary artifact-note">There is no preview for this kind of file.</p>;
  return <TextOf kind={kind} url={url} sizeBytes={sizeBytes} atMostBytes={textPreviewBytes} />;
}

function ImageOf({ path, url }: { path: string; url: string }) {
  const [size, setSize] = useState<string>();
  const [isBroken, setBroken] = useState(false);
  if (isBroken) return <p className="secondary artifact-note">The browser cannot show this image.</p>;
  return (
    <figure className="artifact-image">
      <img
        src={url}
        alt={path}
        onLoad={(event) => setSize(`${event.currentTarget.naturalWidth} × ${event.currentTarget.naturalHeight}`)}
        onError={() => setBroken(true)}
      />
      <figcaption className="muted">{size ?? "\u00a0"}</figcaption>
    </figure>
  );
}

function TextOf({ kind, url, sizeBytes, atMostBytes }: { kind: ArtifactKind; url: string; sizeBytes: number; atMostBytes: number }) {
  const [{ isRaw }, setView] = useView(filesView);
  const file = useQuery({ queryKey: ["artifact-text", url, atMostBytes], queryFn: ({ signal }) => mlflow.beginning(url, atMostBytes, signal), staleTime: 60_000 });
  const text = file.data ?? "";
  const json = useMemo(() => (kind === "json" ? parseJson(text) : undefined), [kind, text]);
  const csv = useMemo(() => (kind === "csv" ? parseCsv(text, rowsAtMost) : undefined), [kind, text]);
  if (file.error) return <div className="artifact-note"><ErrorNote error={file.error} /></div>;
  if (file.isPending) return <SkeletonRows count={6} />;
  if (isBinary(text)) return <p className="secondary artifact-note">This file is not a text, so there is no preview.</p>;

  const isCut = sizeBytes > atMostBytes;
  const hasShape = json !== undefined || csv !== undefined;
  const cut = isCut ? `The first ${formatBytes(atMostBytes)} of ${formatBytes(sizeBytes)}.` : "";
  const fewer = csv && (csv.truncated || isCut) && !isRaw ? `The first ${formatCount(csv.rows.length)} rows.` : cut;
  return (
    <>
      {hasShape || fewer ? (
        <div className="row artifact-bar">
          {hasShape ? (
            <Segmented
              label="How to show it"
              value={isRaw ? "raw" : "shaped"}
              options={[{ value: "shaped", label: csv ? "Table" : "Folded" }, { value: "raw", label: "Text" }]}
              onChange={(how) => setView({ isRaw: how === "raw" }, { replace: true })}
            />
          ) : null}
          <span className="muted">{fewer}</span>
        </div>
      ) : null}
      {!isRaw && json ? <div className="artifact-scroll" tabIndex={0} role="region" aria-label="JSON"><JsonTree value={json.value} /></div> : null}
      {!isRaw && csv ? <CsvTable header={csv.header} rows={csv.rows} /> : null}
      {isRaw || !hasShape ? <pre className="artifact-text" tabIndex={0} aria-label="Text of the file">{isRaw && json ? JSON.stringify(json.value, null, 2) : text}</pre> : null}
    </>
  );
}

function CsvTable({ header, rows }: { header: string[]; rows: string[][] }) {
  const isNumber = useMemo(() => header.map((_, column) => rows.length > 0 && rows.every((row) => !row[column] || !Number.isNaN(Number(row[column])))), [header, rows]);
  return (
    <div className="artifact-scroll" tabIndex={0} role="region" aria-label="Table">
      <table className="table sticky">
        <thead>
          <tr>{header.map((name, column) => <th key={column} className={isNumber[column] ? "number" : ""}>{name}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>{header.map((_, column) => <td key={column} className={isNumber[column] ? "number" : "csv-cell"}>{row[column]}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function parseJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
