// How values are written everywhere: short, aligned, and never more precise than they are.

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;

/** A metric: five significant digits, an exponent only where plain digits would be unreadable. */
export function formatNumber(value: number, digits = 5): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "∞";
  if (value === -Infinity) return "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return withMinus(value.toLocaleString("en-US"));
  if (size >= 1e6 || size < 1e-4) return withMinus(value.toExponential(3).replace("e+", "e"));
  return withMinus(String(Number(value.toPrecision(digits))));
}

/** A difference keeps its sign. */
export function formatDelta(value: number): string {
  if (value === 0) return "±0";
  return value > 0 ? `+${formatNumber(value)}` : formatNumber(value);
}

const withMinus = (text: string) => text.replace(/^-/, "−").replace(/e-/, "e−");

export const formatCount = (value: number): string => value.toLocaleString("en-US");

export const noun = (count: number, one: string, many = `${one}s`): string => (count === 1 ? one : many);

export function plural(count: number, one: string, many?: string): string {
  return `${formatCount(count)} ${noun(count, one, many)}`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = -1;
  do {
    value /= 1000;
    unit += 1;
  } while (value >= 999.5 && unit < units.length - 1);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function formatDuration(ms: number): string {
  if (ms < 0) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${pad(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${pad(minutes % 60)} m`;
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

const pad = (value: number) => String(value).padStart(2, "0");

/** How long ago, in one word pair. */
export function formatAgo(atMs: number, nowMs: number): string {
  const ms = nowMs - atMs;
  if (ms < 10_000) return "just now";
  if (ms < minuteMs) return `${Math.floor(ms / 1000)} s ago`;
  if (ms < hourMs) return `${Math.floor(ms / minuteMs)} min ago`;
  if (ms < dayMs) return `${Math.floor(ms / hourMs)} h ago`;
  if (ms < 14 * dayMs) return `${Math.floor(ms / dayMs)} d ago`;
  return formatDate(atMs);
}

/** `in 5 min`; a time that has come is `now`. */
export function formatUntil(atMs: number, nowMs: number): string {
  const ms = atMs - nowMs;
  if (ms <= 0) return "now";
  if (ms < minuteMs) return `in ${Math.ceil(ms / 1000)} s`;
  if (ms < hourMs) return `in ${Math.floor(ms / minuteMs)} min`;
  if (ms < dayMs) return `in ${Math.floor(ms / hourMs)} h`;
  if (ms < 14 * dayMs) return `in ${Math.floor(ms / dayMs)} d`;
  return formatDate(atMs);
}

/** `2026-11-23`, in the reader's time zone. */
export function formatDate(atMs: number): string {
  const at = new Date(atMs);
  return `${String(at.getFullYear()).padStart(4, "0")}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}

/** `2026-11-23 09:41:07`, in the reader's time zone. */
export function formatDateTime(atMs: number): string {
  const at = new Date(atMs);
  return `${formatDate(atMs)} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** `2026-11-23 09:41`, in the reader's time zone. */
export const formatMinute = (atMs: number): string => formatDateTime(atMs).slice(0, 16);

/** `2026-11-23T09:41`, in the reader's time zone: as a field for a moment has it. */
export const formatMoment = (atMs: number): string => formatMinute(atMs).replace(" ", "T");

/** When a window of time begins, to the minute: those of days and weeks begin at midnight, which says nothing. */
export const formatWindow = (atMs: number): string => formatMinute(atMs).replace(" 00:00", "");

/** How windows that stand beside each other are called: by their days where all begin at midnight. */
export const windowFormat = (starts: readonly number[]): ((atMs: number) => string) => (starts.every((at) => formatMinute(at).endsWith(" 00:00")) ? formatDate : formatMinute);

/** Ids begin with the time: what tells two of a day apart is their end. */
export const shortId = (id: string): string => (id.length > 12 ? id.slice(-8) : id);
