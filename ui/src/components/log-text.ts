// The text of a log: lines from chunks as they come, what their colour codes mean, and where a search finds something.

/** A log keeps so many lines in the page; all that the server keeps is there to download. */
export const linesAtMost = 200_000;

export interface LogSnapshot {
  lines: readonly string[];
  /** Lines that were let go at the beginning. */
  dropped: number;
}

/** Takes text as it arrives, in pieces that may end inside a line, and tells its listeners. */
export class LogBuffer {
  private lines: string[] = [];
  private open = "";
  private dropped = 0;
  private shown: LogSnapshot = { lines: [], dropped: 0 };
  private readonly listeners = new Set<() => void>();

  constructor(private readonly most = linesAtMost) {}

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  readonly snapshot = (): LogSnapshot => this.shown;

  append(chunk: string) {
    if (!chunk) return;
    const parts = (this.open + chunk).split("\n");
    this.open = parts.pop()!;
    // Not spread into `push`: a chunk may hold more lines than a call takes arguments.
    for (const part of parts) this.lines.push(afterReturns(part));
    const over = this.lines.length - this.most;
    if (over > 0) {
      this.lines.splice(0, over);
      this.dropped += over;
    }
    const last = afterReturns(this.open);
    this.shown = { lines: last ? [...this.lines, last] : this.lines.slice(), dropped: this.dropped };
    for (const listener of this.listeners) listener();
  }

  clear() {
    [this.lines, this.open, this.dropped] = [[], "", 0];
    this.shown = { lines: [], dropped: 0 };
    for (const listener of this.listeners) listener();
  }
}

/** A progress bar writes over its line: what stands after the last carriage return is what a terminal would show. */
function afterReturns(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return text.slice(text.lastIndexOf("\r") + 1);
}

const escapes = /\u001b(?:\[([0-9;?]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/** The text alone, as it is searched and copied. */
export const stripAnsi = (line: string): string => (line.includes("\u001b") ? line.replace(escapes, "") : line);

export interface LogSpan {
  text: string;
  /** One of the eight colours of terminals, 0 black to 7 white; finer colours are left out. */
  color?: number;
  isBold: boolean;
}

export function parseAnsi(line: string): LogSpan[] {
  if (!line.includes("\u001b")) return line ? [{ text: line, isBold: false }] : [];
  const spans: LogSpan[] = [];
  let style: Omit<LogSpan, "text"> = { isBold: false };
  let at = 0;
  const push = (text: string) => text && spans.push({ text, ...style });
  for (const match of line.matchAll(escapes)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") style = restyle(style, match[1] ?? "");
  }
  push(line.slice(at));
  return spans;
}

function restyle(style: Omit<LogSpan, "text">, codes: string): Omit<LogSpan, "text"> {
  const numbers = codes.split(";").map(Number);
  let { color, isBold } = style;
  for (let at = 0; at < numbers.length; at += 1) {
    const code = numbers[at]!;
    if (code === 0) [color, isBold] = [undefined, false];
    else if (code === 1) isBold = true;
    else if (code === 22) isBold = false;
    else if (code === 39) color = undefined;
    else if (code >= 30 && code <= 37) color = code - 30;
    else if (code >= 90 && code <= 97) color = code - 90;
    // `38;5;n` and `38;2;r;g;b`, and the same for grounds, carry numbers that are no codes.
    else if (code === 38 || code === 48) at += numbers[at + 1] === 5 ? 2 : 4;
  }
  return { ...(color === undefined ? {} : { color }), isBold };
}

/** Indices of the lines that hold the text, whatever its case. */
export function findLines(lines: readonly string[], search: string): number[] {
  const wanted = search.toLowerCase();
  if (!wanted) return [];
  return lines.flatMap((line, index) => (stripAnsi(line).toLowerCase().includes(wanted) ? [index] : []));
}

/** Cuts spans where the search begins and ends; a hit may run over several spans. */
export function markHits(spans: readonly LogSpan[], search: string): (LogSpan & { isHit: boolean })[] {
  const text = spans.map((span) => span.text).join("");
  const [wanted, lower] = [search.toLowerCase(), text.toLowerCase()];
  // Some letters change their length with their case; then nothing can be marked in its place.
  if (!wanted || lower.length !== text.length || !lower.includes(wanted)) return spans.map((span) => ({ ...span, isHit: false }));
  const cuts = new Set<number>();
  const hits: [number, number][] = [];
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length)) {
    hits.push([at, at + wanted.length]);
    cuts.add(at).add(at + wanted.length);
  }
  let start = 0;
  return spans.flatMap((span) => {
    const end = start + span.text.length;
    const edges = [start, ...[...cuts].filter((cut) => cut > start && cut < end), end];
    const base = start;
    start = end;
    return edges.slice(1).map((edge, index) => {
      const from = edges[index]!;
      return { ...span, text: span.text.slice(from - base, edge - base), isHit: hits.some(([hitFrom, hitTo]) => from >= hitFrom && edge <= hitTo) };
    });
  });
}
