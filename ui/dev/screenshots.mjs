// Pictures of every screen in light and dark: npm run shots -- <folder> [name…]
// LATHE_URL is the server, `lathe serve` or `npm run fake`, without sign-in; WIDTH and HEIGHT are the window's.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { launch, watch } from "../tests/e2e/browser.mjs";
import { findScreens } from "../tests/e2e/screens.mjs";

const [folder, ...names] = process.argv.slice(2);
if (!folder) {
  console.error("usage: npm run shots -- <folder> [name…]");
  process.exit(2);
}
const base = process.env.LATHE_URL ?? "http://127.0.0.1:4400";
const viewport = { width: Number(process.env.WIDTH ?? 1440), height: Number(process.env.HEIGHT ?? 900) };
await mkdir(folder, { recursive: true });
const screens = Object.entries(await findScreens(base)).filter(([name]) => !names.length || names.includes(name));
const browser = await launch();
try {
  for (const theme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport, colorScheme: theme });
    const page = await context.newPage();
    const seen = watch(page);
    for (const [name, path] of screens) {
      await page.goto(base + path);
      await seen.rest();
      const file = join(folder, `${name}-${theme}.png`);
      await page.screenshot({ path: file });
      console.log(file);
    }
    for (const problem of seen.problems) console.error(problem);
    await context.close();
  }
} finally {
  await browser.close();
}
