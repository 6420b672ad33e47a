import { useQueryClient } from "@tanstack/react-query";
import { RotateCw, Upload as UploadIcon, X } from "lucide-react";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore, type DragEvent, type ReactNode } from "react";
import { Button, IconButton } from "../../components/button";
import { formatBytes, plural } from "../../components/format";
import { Menu, MenuItem } from "../../components/menu";
import { notifyError } from "../../components/toast";
import { fromDrop, fromPicker } from "./local-files";
import { isSame, totalsOf, uploads, type Target, type Upload } from "./uploads";

const namedAtMost = 50;

/** "Upload" with its two ways: files, or a folder with everything in it. */
export function UploadButton({ target, folder }: { target: Target; folder: string }) {
  const files = useRef<HTMLInputElement>(null);
  const folders = useRef<HTMLInputElement>(null);
  const add = (input: HTMLInputElement) => {
    uploads.add(target, folder, fromPicker(input.files));
    input.value = "";
  };
  return (
    <>
      <input ref={files} type="file" multiple hidden aria-label="Files to upload" onChange={(event) => add(event.target)} />
      <input ref={folders} type="file" hidden aria-label="Folder to upload" {...{ webkitdirectory: "" }} onChange={(event) => add(event.target)} />
      <Menu align="end" trigger={<Button icon={<UploadIcon size={14} />}>Upload</Button>}>
        <MenuItem onSelect={() => files.current?.click()}>Files…</MenuItem>
        <MenuItem onSelect={() => folders.current?.click()}>A folder…</MenuItem>
      </Menu>
    </>
  );
}

/** Takes files and folders that are dropped anywhere on it. */
export function DropTarget({ target, folder, children }: { target: Target; folder: string; children: ReactNode }) {
  // Elements inside send "leave" and "enter" of their own: only the balance tells whether the pointer is over this.
  const [depth, setDepth] = useState(0);
  const carriesFiles = (event: DragEvent) => event.dataTransfer.types.includes("Files");
  const drop = (event: DragEvent) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    setDepth(0);
    fromDrop(event.dataTransfer).then((files) => uploads.add(target, folder, files), notifyError);
  };
  return (
    <div
      className="drop-target"
      onDragEnter={(event) => carriesFiles(event) && setDepth((value) => value + 1)}
      onDragLeave={(event) => carriesFiles(event) && setDepth((value) => Math.max(0, value - 1))}
      onDragOver={(event) => carriesFiles(event) && event.preventDefault()}
      onDrop={drop}
    >
      {children}
      {depth > 0 ? <div className="drop-here">Upload to {target.branch}, {folder || "the root"}</div> : null}
    </div>
  );
}

/** What is on its way to the branch, what went wrong, and that the rest is there. */
export function UploadPanel({ target }: { target: Target }) {
  const { project, repository, branch } = target;
  const queries = useQueryClient();
  const all = useSyncExternalStore(uploads.subscribe, uploads.snapshot);
  const mine = useMemo(() => all.filter((upload) => isSame(upload, { project, repository, branch })), [all, project, repository, branch]);
  useEffect(() => uploads.onSettled((of) => void queries.invalidateQueries({ queryKey: ["data", of.project, of.repository] })), [queries]);
  if (!mine.length) return null;
  const totals = totalsOf(mine);
  const noted = mine.filter(({ state }) => state === "failed" || state === "sending");
  const done = totals.bytes ? totals.sentBytes / totals.bytes : 1;
  const words = [
    `${plural(totals.done, "file")} of ${totals.files} uploaded`,
    ...(totals.failed ? [`${totals.failed} failed`] : []),
    ...(totals.stopped ? [`${totals.stopped} stopped`] : []),
  ];
  return (
    <section className="upload-panel" aria-label="Uploads">
      <div className="row">
        <strong role="status">{words.join(", ")}</strong>
        <span className="muted">{formatBytes(totals.sentBytes)} of {formatBytes(totals.bytes)}</span>
        {totals.open ? null : totals.done ? <span className="secondary">They are on {branch}, and not committed yet.</span> : null}
        <span className="row push">
          {totals.open ? <Button size="small" onClick={() => uploads.stop(target)}>Stop</Button> : null}
          {totals.failed > 1 && !totals.open ? (
            <Button size="small" icon={<RotateCw size={13} />} onClick={() => mine.filter(({ state }) => state === "failed").forEach(({ id }) => uploads.retry(id))}>Try all again</Button>
          ) : null}
          {totals.open ? null : <IconButton size="small" label="Close the list of uploads" icon={<X size={14} />} onClick={() => uploads.clear(target)} />}
        </span>
      </div>
      {totals.open ? <progress className="upload-progress" aria-label="All uploads" value={done} /> : null}
      {noted.length ? <ul>{noted.slice(0, namedAtMost).map((upload) => <Line key={upload.id} upload={upload} />)}</ul> : null}
      {noted.length > namedAtMost ? <p className="muted">And {noted.length - namedAtMost} more.</p> : null}
    </section>
  );
}

function Line({ upload: { id, path, state, error, sentBytes, sizeBytes } }: { upload: Upload }) {
  return (
    <li className="row">
      <span className="ellipsis upload-path" title={path}>{path}</span>
      {state === "failed" ? (
        <>
          <span className="upload-error">{error?.message}{error?.hint ? ` (${error.hint})` : ""}</span>
          <Button size="small" className="push" onClick={() => uploads.retry(id)}>Try again</Button>
        </>
      ) : (
        <progress className="push" aria-label={path} value={sizeBytes ? sentBytes / sizeBytes : 0} />
      )}
    </li>
  );
}
