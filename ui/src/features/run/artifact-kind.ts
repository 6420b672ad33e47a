// How a file is shown, by its name and size alone: nothing is loaded to find out.

export type ArtifactKind = "image" | "json" | "csv" | "text" | "page" | "unknown";

const kinds: [ArtifactKind, RegExp][] = [
  ["image", /\.(png|jpe?g|gif|webp|avif|bmp|svg|ico)$/],
  ["json", /\.(json|ipynb|geojson)$/],
  ["csv", /\.(csv|tsv)$/],
  ["page", /\.(html?|xhtml|pdf)$/],
  ["text", /\.(txt|text|log|md|markdown|rst|ya?ml|toml|ini|cfg|conf|env|properties|jsonl|ndjson|xml|py|pyi|r|jl|js|ts|css|sh|bash|sql|rs|go|java|c|h|cc|cpp|hpp|diff|patch|lock|out|err)$/],
  ["text", /(^|\/)(mlmodel|mlproject|dockerfile|makefile|license|readme|changelog)$/],
];

export function artifactKind(path: string): ArtifactKind {
  const name = path.toLowerCase();
  return kinds.find(([, pattern]) => pattern.test(name))?.[0] ?? "unknown";
}

/** A preview shows the beginning of a text; a JSON file is read whole, for half of one cannot be folded. */
export const textPreviewBytes = 300_000;
export const jsonPreviewBytes = 2_000_000;

/** A file that holds a zero byte is no text. */
export const isBinary = (text: string) => text.includes("\0");

export const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf("/")));
export const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** The folders around a path, outermost first. */
export function foldersAround(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(0, -1).map((_, index) => parts.slice(0, index + 1).join("/"));
}
