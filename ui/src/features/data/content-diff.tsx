// The contents of a file on two sides, where both are small enough to be read whole.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { mlflow } from "../../api/mlflow";
import { native, type Change } from "../../api/native";
import { useProject } from "../../app/navigation";
import { SkeletonRows } from "../../components/empty";
import { ErrorNote } from "../../components/error-note";
import { formatBytes, plural } from "../../components/format";
import { artifactKind, isBinary } from "../run/artifact-kind";
import { isParquet } from "./shown-file";
import { diffLists, diffTables, linesOf, pairsOf, type DiffLine, type TableDifference } from "./text-diff";

const comparedAtMostBytes = 500_000;
const linesAtMost = 2_000;

interface ContentDiffProps {
  repository: string;
  from: string;
  to: string;
  change: Change;
}

export function ContentDiff({ repository, from, to, change: { path, before, after } }: ContentDiffProps) {
  const project = useProject();
  const kind = artifactKind(path);
  const isSmall = Math.max(before?.size_bytes ?? 0, after?.size_bytes ?? 0) <= comparedAtMostBytes;
  const isTable = isParquet(path);
  const isText = kind !== "image" && kind !== "page";
  const texts = useQuery({
    queryKey: ["data", project, repository, "contents", before?.hash, after?.hash],
    queryFn: async ({ signal }) => {
      const read = async (ref: string, size: number | undefined) =>
        size ? mlflow.beginning(native.objectUrl(project, repository, ref, path), comparedAtMostBytes, signal) : "";
      const [old, now] = await Promise.all([read(from, before?.size_bytes), read(to, after?.size_bytes)]);
      return { old, now };
    },
    enabled: isSmall && isText && !isTable,
    // Contents are known by their hashes: no change of the repository makes them old.
    staleTime: "static",
  });
  if (isTable) return <p className="secondary diff-note">Rows of Parquet files cannot be compared here yet, only their sizes: read both versions in code to compare them.</p>;
  if (!isSmall) return <p className="secondary diff-note">Contents are compared up to {formatBytes(comparedAtMostBytes)}; this file is larger, so only its size is compared. Open it on each side, or read both in code.</p>;
  if (!isText) return <p className="secondary diff-note">The contents of this kind of file are not compared, only its sizes.</p>;
  if (texts.error) return <div className="diff-note"><ErrorNote error={texts.error} /></div>;
  if (texts.isPending) return <SkeletonRows count={6} />;
  const { old, now } = texts.data;
  if (isBinary(old) || isBinary(now)) return <p className="secondary diff-note">This file is not a text, so only its size is compared.</p>;
  return kind === "csv" && before && after ? <TableDiff old={old} now={now} /> : <TextDiff old={old} now={now} />;
}

const tooDifferent = <p className="secondary diff-note">Almost every line differs: a comparison would say nothing.</p>;

const signs = { same: " ", added: "+", removed: "−" } as const;
const words = { same: "", added: "added", removed: "removed" } as const;

function TextDiff({ old, now }: { old: string; now: string }) {
  const difference = useMemo(() => diffLists(linesOf(old), linesOf(now)), [old, now]);
  if (!difference) return tooDifferent;
  if (!difference.hunks.length) return <p className="secondary diff-note">The same lines: only line ends differ.</p>;
  const { hunks, isCut } = cut(difference.hunks);
  return (
    <>
      <p className="muted diff-note">{plural(difference.added, "line")} added, {difference.removed} removed{isCut ? `; the first ${linesAtMost} are shown` : ""}.</p>
      <div className="diff-scroll" tabIndex={0} role="region" aria-label="Lines that differ">
        <table className="diff-lines">
          {hunks.map((hunk, index) => (
            <tbody key={index}>
              {hunk.map((line) => (
                <tr key={`${line.before} ${line.after}`} className={`diff-${line.kind}`}>
                  <td className="diff-number">{line.before}</td>
                  <td className="diff-number">{line.after}</td>
                  <td className="diff-sign"><span aria-hidden="true">{signs[line.kind]}</span><span className="visually-hidden">{words[line.kind]}</span></td>
                  <td className="diff-text">{line.value}</td>
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </div>
    </>
  );
}

function TableDiff({ old, now }: { old: string; now: string }) {
  const difference = useMemo(() => diffTables(old, now), [old, now]);
  if (!difference) return tooDifferent;
  const { hunks, isCut } = cut(difference.hunks);
  const { header, addedColumns, removedColumns } = difference;
  const columnKind = (name: string) => (addedColumns.includes(name) ? "added" : removedColumns.includes(name) ? "removed" : "same");
  return (
    <>
      <p className="muted diff-note">{summaryOf(difference)}{isCut ? ` The first ${linesAtMost} rows are shown.` : ""}</p>
      {hunks.length || addedColumns.length || removedColumns.length ? (
        <div className="diff-scroll" tabIndex={0} role="region" aria-label="Rows that differ">
          <table className="table sticky diff-table">
            <thead>
              <tr>
                <th><span className="visually-hidden">Change</span></th>
                <th className="number">Row</th>
                {header.map((name) => <th key={name} className={`diff-${columnKind(name)}`}>{columnKind(name) === "same" ? name : `${signs[columnKind(name)]} ${name}`}</th>)}
              </tr>
            </thead>
            {hunks.map((hunk, index) => <RowsOf key={index} hunk={hunk} isShared={header.map((name) => columnKind(name) === "same")} />)}
          </table>
        </div>
      ) : null}
    </>
  );
}

/** Cells are marked in columns of both sides alone: that a new column differs is said by its head. */
function RowsOf({ hunk, isShared }: { hunk: DiffLine<string[]>[]; isShared: boolean[] }) {
  const pairs = pairsOf(hunk);
  return (
    <tbody>
      {hunk.map((line) => {
        const other = pairs.get(line);
        return (
          <tr key={`${line.before} ${line.after}`} className={`diff-${line.kind}`}>
            <td className="diff-sign"><span aria-hidden="true">{signs[line.kind]}</span><span className="visually-hidden">{words[line.kind]}</span></td>
            <td className="number muted">{line.after ?? line.before}</td>
            {line.value.map((cell, at) => <td key={at} className="csv-cell">{other && isShared[at] && other.value[at] !== cell ? <mark>{cell || "(empty)"}</mark> : cell}</td>)}
          </tr>
        );
      })}
    </tbody>
  );
}

function summaryOf({ added, removed, addedColumns, removedColumns }: TableDifference): string {
  const columns = [...addedColumns.map((name) => `column ${name} is new`), ...removedColumns.map((name) => `column ${name} is gone`)];
  return `${plural(added, "row")} added, ${removed} removed${columns.length ? `; ${columns.join(", ")}` : ""}.`;
}

function cut<T>(hunks: DiffLine<T>[][]): { hunks: DiffLine<T>[][]; isCut: boolean } {
  let left = linesAtMost;
  const kept = hunks.map((hunk) => {
    const part = hunk.slice(0, left);
    left -= part.length;
    return part;
  });
  const isCut = kept.reduce((sum, hunk) => sum + hunk.length, 0) < hunks.reduce((sum, hunk) => sum + hunk.length, 0);
  return { hunks: kept.filter((hunk) => hunk.length), isCut };
}
