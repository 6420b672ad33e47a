// Files that a person chose or dropped, with their paths below what was chosen.
import type { LocalFile } from "./uploads";

/** Files of a file field; of a folder field they carry the folder's name in front. */
export const fromPicker = (files: FileList | null): LocalFile[] =>
  [...(files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** What was dropped, folders with everything in them. The items must be taken while the event is handled. */
export async function fromDrop(transfer: DataTransfer): Promise<LocalFile[]> {
  // What another program hands over may be a file without an entry of the file system.
  const found = [...transfer.items].map((item) => {
    const [entry, file] = [item.webkitGetAsEntry(), item.getAsFile()];
    if (entry) return filesBelow(entry);
    return file ? [{ path: file.name, file }] : [];
  });
  return (await Promise.all(found)).flat();
}

async function filesBelow(entry: FileSystemEntry): Promise<LocalFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const all: LocalFile[] = [];
  // A reader gives a hundred entries at a time, and none at the end.
  for (;;) {
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return all;
    for (const files of await Promise.all(entries.map(filesBelow))) all.push(...files);
  }
}
