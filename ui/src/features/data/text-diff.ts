// What differs between two texts, in hunks with a few lines around; tables are compared row by row, cell by cell.
import { diffArrays } from "diff";
import { parseCsv } from "../run/csv";

export interface DiffLine<T> {
  kind: "same" | "added" | "removed";
  /** Line numbers from 1; a line that one side does not hold has none there. */
  before?: number;
  after?: number;
  value: T;
}

export interface Difference<T> {
  hunks: DiffLine<T>[][];
  added: number;
  removed: number;
}

const linesAround = 3;
/** Texts that differ more than this are not worth reading line by line, and take long to compare. */
const editsAtMost = 1_500;

/** Nothing where the two differ too much. */
export function diffLists<T>(before: T[], after: T[], isSame: (a: T, b: T) => boolean = Object.is): Difference<T> | undefined {
  // One side alone needs no search, however long it is.
  const maxEditLength = before.length && after.length ? editsAtMost : before.length + after.length;
  const parts = diffArrays(before, after, { comparator: isSame, maxEditLength });
  if (!parts) return undefined;
  const lines: DiffLine<T>[] = [];
  let [old, now] = [0, 0];
  for (const part of parts) {
    for (const value of part.value) {
      if (part.added) lines.push({ kind: "added", after: ++now, value });
      else if (part.removed) lines.push({ kind: "removed", before: ++old, value });
      else lines.push({ kind: "same", before: ++old, after: ++now, value });
    }
  }
  const count = (kind: DiffLine<T>["kind"]) => lines.filter((line) => line.kind === kind).length;
  return { hunks: cutHunks(lines), added: count("added"), removed: count("removed") };
}

function cutHunks<T>(lines: DiffLine<T>[]): DiffLine<T>[][] {
  const hunks: DiffLine<T>[][] = [];
  let end = -1;
  lines.forEach((line, at) => {
    if (line.kind === "same") return;
    const start = Math.max(0, at - linesAround);
    const until = Math.min(lines.length, at + linesAround + 1);
    if (start > end) hunks.push(lines.slice(start, until));
    else hunks.at(-1)!.push(...lines.slice(end, until));
    end = Math.max(end, until);
  });
  return hunks;
}

/** Lines without their ends; the empty rest after the last line end is no line. */
export function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

export interface TableDifference extends Difference<string[]> {
  header: string[];
  addedColumns: string[];
  removedColumns: string[];
}

/** Compares rows in their order, by the columns of both sides; nothing where the tables differ too much. */
export function diffTables(before: string, after: string): TableDifference | undefined {
  const [old, now] = [parseCsv(before, Infinity), parseCsv(after, Infinity)];
  const removedColumns = old.header.filter((name) => !now.header.includes(name));
  const addedColumns = now.header.filter((name) => !old.header.includes(name));
  const header = [...now.header, ...removedColumns];
  const align = (table: { header: string[]; rows: string[][] }) => {
    const places = header.map((name) => table.header.indexOf(name));
    return table.rows.map((row) => places.map((place) => row[place] ?? ""));
  };
  const shared = header.flatMap((name, at) => (addedColumns.includes(name) || removedColumns.includes(name) ? [] : [at]));
  const isSame = (a: string[], b: string[]) => shared.every((at) => a[at] === b[at]);
  const difference = diffLists(align(old), align(now), isSame);
  return difference && { ...difference, header, addedColumns, removedColumns };
}

/** The row that a changed row most likely was: removed rows are paired in order with the added rows after them. */
export function pairsOf<T>(hunk: DiffLine<T>[]): Map<DiffLine<T>, DiffLine<T>> {
  const pairs = new Map<DiffLine<T>, DiffLine<T>>();
  let removed: DiffLine<T>[] = [];
  let added: DiffLine<T>[] = [];
  const close = () => {
    removed.slice(0, added.length).forEach((line, at) => pairs.set(line, added[at]!).set(added[at]!, line));
    [removed, added] = [[], []];
  };
  for (const line of hunk) {
    if (line.kind === "same" || (line.kind === "removed" && added.length)) close();
    if (line.kind === "removed") removed.push(line);
    if (line.kind === "added") added.push(line);
  }
  close();
  return pairs;
}
