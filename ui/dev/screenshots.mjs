// Pictures of every screen in light and dark: npm run shots -- <folder> [name…]
// LATHE_URL is the server, `lathe serve` or `npm run fake`, without sign-in; WIDTH and HEIGHT are the window's.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { base } from "../tests/e2e/api.mjs";
import { launch, openPage } from "../tests/e2e/browser.mjs";
import { findScreens } from "../tests/e2e/screens.mjs";

const [folder, ...names] = process.argv.slice(2);
if (!folder) {
  console.error("usage: npm run shots -- <folder> [name…]");
  process.exit(2);
}
const viewport = { width: Number(process.env.WIDTH ?? 1440), height: Number(process.env.HEIGHT ?? 900) };
await mkdir(folder, { recursive: true });
const screens = Object.entries(await findScreens()).filter(([name]) => !names.length || names.includes(name));
const browser = await launch();
for (const colorScheme of ["light", "dark"]) {
  const { page, goto, close } = await openPage(browser, base, { viewport, colorScheme });
  for (const [name, path] of screens) {
    await goto(path);
    const file = join(folder, `${name}-${colorScheme}.png`);
    await page.screenshot({ path: file });
    console.log(file);
  }
  await close();
}
await browser.close();
