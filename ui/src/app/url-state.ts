// View state lives in the URL. A view is a record of named fields, each with a short key, a default and a text form that a
// person can read and edit: `?q=metrics.acc > 0.9&sort=-metrics.acc&cols=metrics.acc,params.lr`.

export type SearchParams = Record<string, string>;

export interface Field<T> {
  key: string;
  parse: (text: string | undefined) => T;
  /** `undefined` where the value is the default: the URL stays short. */
  print: (value: T) => string | undefined;
}

export type View<T> = { [K in keyof T]: Field<T[K]> };

export const text = (key: string, fallback = ""): Field<string> => ({
  key,
  parse: (raw) => raw ?? fallback,
  print: (value) => (value === fallback ? undefined : value),
});

export const optionalText = (key: string): Field<string | undefined> => ({
  key,
  parse: (raw) => raw || undefined,
  print: (value) => value || undefined,
});

export const choice = <T extends string>(key: string, options: readonly T[], fallback: T): Field<T> => ({
  key,
  parse: (raw) => options.find((option) => option === raw) ?? fallback,
  print: (value) => (value === fallback ? undefined : value),
});

export const flag = (key: string): Field<boolean> => ({
  key,
  parse: (raw) => raw === "1",
  print: (value) => (value ? "1" : undefined),
});

export const integer = (key: string, fallback: number, least: number, most: number): Field<number> => ({
  key,
  parse: (raw) => {
    const value = Math.round(Number(raw));
    return raw && Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : fallback;
  },
  print: (value) => (value === fallback ? undefined : String(value)),
});

/** A moment as `2026-11-25T09:30Z`: readable, and the same moment in every time zone. */
export const moment = (key: string): Field<number | undefined> => ({
  key,
  parse: (raw) => {
    const at = Date.parse(raw ?? "");
    return Number.isNaN(at) ? undefined : at;
  },
  print: (at) => (at === undefined ? undefined : new Date(at).toISOString().replace(/:00\.000Z$/, "Z")),
});

// A comma separates items, so a comma inside one is written %2C (and the sign that announces it, %25).
const escapeItem = (item: string) => item.replaceAll("%", "%25").replaceAll(",", "%2C");
const unescapeItem = (item: string) => item.replaceAll("%2C", ",").replaceAll("%25", "%");

export const list = (key: string): Field<string[]> => ({
  key,
  parse: (raw) => (raw ? raw.split(",").filter(Boolean).map(unescapeItem) : []),
  print: (value) => (value.length ? value.map(escapeItem).join(",") : undefined),
});

/** A list that may be unset: `undefined` means "choose for me", an empty list means "none". */
export const optionalList = (key: string): Field<string[] | undefined> => ({
  key,
  parse: (raw) => (raw === undefined ? undefined : raw.split(",").filter((item) => item && item !== "-").map(unescapeItem)),
  print: (value) => (value === undefined ? undefined : value.map(escapeItem).join(",") || "-"),
});

export function readView<T extends object>(view: View<T>, search: SearchParams): T {
  const entries = Object.entries(view) as [keyof T, Field<T[keyof T]>][];
  return Object.fromEntries(entries.map(([name, field]) => [name, field.parse(search[field.key])])) as T;
}

/** The search of `value`, keeping the keys that belong to other views. */
export function writeView<T extends object>(view: View<T>, value: NoInfer<T>, other: SearchParams = {}): SearchParams {
  const search = { ...other };
  for (const [name, field] of Object.entries(view) as [keyof T, Field<T[keyof T]>][]) {
    const printed = field.print(value[name]);
    if (printed === undefined) delete search[field.key];
    else search[field.key] = printed;
  }
  return search;
}

export function parseSearch(raw: string): SearchParams {
  return Object.fromEntries(new URLSearchParams(raw));
}

/** Like URLSearchParams, but what a query string may hold as it is stays readable. */
export function printSearch(search: Record<string, unknown>): string {
  const encode = (part: string) => encodeURIComponent(part).replace(/%(2C|3A|2F|40|24)/gi, decodeURIComponent);
  const pairs = Object.entries(search)
    .filter((pair): pair is [string, string] => typeof pair[1] === "string")
    .map(([key, value]) => `${encode(key)}=${encode(value)}`);
  return pairs.length ? `?${pairs.join("&")}` : "";
}
