// Fails when any screen can load more JavaScript than the budget: the entry, the screen's own chunk, and everything that
// either may still load later (charts, dialogs, the palette), gzipped.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const budgetBytes = 250_000;
const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));
const isScreen = (key) => key.startsWith("src/routes/");
const gzBytes = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;

/** Every chunk that `key` needs at once, and those it may load later, other screens left out. */
function reach(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  const chunk = manifest[key];
  for (const next of chunk.imports ?? []) reach(next, seen);
  for (const next of chunk.dynamicImports ?? []) if (!isScreen(next)) reach(next, seen);
  return seen;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const rows = Object.keys(manifest).filter(isScreen).map((screen) => {
  const files = new Set([...reach(entry), ...reach(screen)].map((key) => manifest[key].file));
  return { screen: screen.replace("src/routes/", "").replace(/\.tsx$/, ""), bytes: [...files].reduce((sum, file) => sum + gzBytes(file), 0) };
});
rows.sort((a, b) => b.bytes - a.bytes);

let failed = rows.length === 0;
for (const { screen, bytes } of rows) {
  const over = bytes > budgetBytes;
  failed ||= over;
  console.log(`${screen.padEnd(16)} ${(bytes / 1000).toFixed(1).padStart(7)} kB gz${over ? "  over the budget" : ""}`);
}
console.log(`budget ${(budgetBytes / 1000).toFixed(0)} kB gz on any screen`);
process.exitCode = failed ? 1 : 0;
