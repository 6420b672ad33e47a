// A small CSV reader for previews: quotes, doubled quotes, line breaks inside quotes, and the separator found by looking.

export interface CsvPreview {
  header: string[];
  rows: string[][];
  /** Whether the text held more rows than were asked for. */
  truncated: boolean;
}

export function findSeparator(firstLine: string): string {
  const counts = [",", "\t", ";", "|"].map((separator) => ({ separator, count: firstLine.split(separator).length - 1 }));
  counts.sort((a, b) => b.count - a.count);
  return counts[0] && counts[0].count > 0 ? counts[0].separator : ",";
}

export function parseCsv(text: string, maxRows: number): CsvPreview {
  const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const separator = findSeparator(source.slice(0, source.search(/\r?\n|$/)));
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  let index = 0;

  const endRow = () => {
    row.push(cell);
    cell = "";
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  // One row more than asked for tells that there is more.
  for (; index < source.length && rows.length <= maxRows + 1; index += 1) {
    const char = source[index];
    if (quoted) {
      if (char !== '"') cell += char;
      else if (source[index + 1] === '"') {
        cell += '"';
        index += 1;
      } else quoted = false;
    } else if (char === '"' && cell === "") quoted = true;
    else if (char === separator) {
      row.push(cell);
      cell = "";
    } else if (char === "\n" || char === "\r") {
      if (char === "\r" && source[index + 1] === "\n") index += 1;
      endRow();
    } else cell += char;
  }
  if (cell !== "" || row.length) endRow();

  const [header = [], ...body] = rows;
  return { header, rows: body.slice(0, maxRows), truncated: body.length > maxRows };
}
