// What is marked of a listing. A folder, and the file that S3 clients write into it to keep it, may have the same path: `raw/`.
import type { DataObject } from "../../api/native";

export interface Entry {
  path: string;
  isFolder: boolean;
}

export type Marks = ReadonlyMap<string, Entry>;

const keyOf = ({ path, isFolder }: Entry) => `${isFolder ? "folder" : "file"} ${path}`;

export const folderEntry = (path: string): Entry => ({ path, isFolder: true });
export const fileEntry = ({ path }: Pick<DataObject, "path">): Entry => ({ path, isFolder: false });

/** Whether a file stands for the folder that it lies in. */
export const isMarker = (file: string) => file.endsWith("/");

export const isMarked = (marks: Marks, entry: Entry) => marks.has(keyOf(entry));

export function withMarks(marks: Marks, entries: Entry[], isOn: boolean): Marks {
  const next = new Map(marks);
  for (const entry of entries) {
    if (isOn) next.set(keyOf(entry), entry);
    else next.delete(keyOf(entry));
  }
  return next;
}

/** What is marked in a folder; the folder itself, marked from outside, is not in it. */
export const marksIn = (marks: Marks, folder: string): Entry[] =>
  [...marks.values()].filter(({ path, isFolder }) => path.startsWith(folder) && !(isFolder && path === folder));
