// Columns of a graph that leads to the right, and where its things stand: shared by lineage and by graphs of jobs.

/** Orders each column by the mean place of its neighbours in the column before, twice: most crossings go. Sorts in place. */
export function sortByNeighbours(columns: string[][], edges: readonly { from: string; to: string }[]) {
  const neighbours = new Map<string, string[]>();
  const join = (name: string, other: string) => {
    const known = neighbours.get(name);
    if (known) known.push(other);
    else neighbours.set(name, [other]);
  };
  for (const { from, to } of edges) {
    join(from, to);
    join(to, from);
  }
  const sortAgainst = (column: string[], other: string[]) => {
    const place = new Map(other.map((name, index) => [name, index / Math.max(1, other.length - 1)]));
    const means = new Map(
      column.map((name) => {
        const places = (neighbours.get(name) ?? []).map((near) => place.get(near)).filter((at) => at !== undefined);
        return [name, places.length ? places.reduce((sum, at) => sum + at, 0) / places.length : 0.5];
      }),
    );
    column.sort((a, b) => means.get(a)! - means.get(b)! || a.localeCompare(b));
  };
  for (let pass = 0; pass < 2; pass += 1) {
    for (let at = 1; at < columns.length; at += 1) sortAgainst(columns[at]!, columns[at - 1]!);
    for (let at = columns.length - 2; at >= 0; at -= 1) sortAgainst(columns[at]!, columns[at + 1]!);
  }
}

export interface Box {
  x: number;
  y: number;
}

export interface BoxSize {
  width: number;
  height: number;
  columnGap: number;
  rowGap: number;
}

/** Places columns side by side, each in the middle of the height of the tallest. */
export function placeColumns(columns: readonly string[][], { width, height, columnGap, rowGap }: BoxSize): { boxes: Map<string, Box>; width: number; height: number } {
  const tallest = Math.max(1, ...columns.map((column) => column.length));
  const fullHeight = tallest * (height + rowGap) - rowGap;
  const boxes = new Map<string, Box>();
  columns.forEach((column, columnIndex) => {
    const top = (fullHeight - (column.length * (height + rowGap) - rowGap)) / 2;
    column.forEach((name, rowIndex) => boxes.set(name, { x: columnIndex * (width + columnGap), y: top + rowIndex * (height + rowGap) }));
  });
  return { boxes, width: Math.max(0, columns.length * (width + columnGap) - columnGap), height: fullHeight };
}
