// The pieces that pages are built from, on a page of Vite's own: keyboard, twins, following, and axe in both themes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { createServer } from "vite";
import { launch, openPage } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;
let vite;
let origin;
before(async () => {
  vite = await createServer({ root: new URL("../..", import.meta.url).pathname, logLevel: "error", server: { port: 0, host: "127.0.0.1" } });
  await vite.listen();
  origin = `http://127.0.0.1:${vite.httpServer.address().port}`;
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await vite?.close();
});

const open = async (options) => {
  const opened = await openPage(browser, origin, options);
  await opened.page.goto("/dev/pieces.html");
  await opened.page.getByRole("img", { name: "Drift over time" }).waitFor();
  return opened;
};

for (const colorScheme of ["light", "dark"]) {
  test(`every piece can be used by everybody (${colorScheme})`, async () => {
    const { page, close } = await open({ colorScheme, viewport: { width: 1280, height: 2400 } });
    for (const summary of await page.locator("summary").all()) await summary.click();
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run({ runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] } }));
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].target} ${nodes[0].failureSummary}`), []);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/pieces-open-${colorScheme}.png` });
    for (const summary of await page.locator("summary").all()) await summary.click();
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/pieces-${colorScheme}.png` });
    await close();
  });
}

test("graph and timeline are walked by arrow keys", async () => {
  const { page, close } = await open();
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("href"));
  await page.locator("[data-node=load]").focus();
  for (const [key, href] of [["ArrowRight", "#profile"], ["ArrowRight", "#compare"], ["ArrowRight", "#approve"], ["ArrowLeft", "#compare"]]) {
    await page.keyboard.press(key);
    assert.equal(await focused(), href, key);
  }
  await page.locator(".timeline-row").first().focus();
  await page.keyboard.press("ArrowDown");
  assert.equal(await focused(), "#profile");
  await page.keyboard.press("End");
  assert.equal(await focused(), "#compare");
  await close();
});

test("a log draws what is on screen, follows its end until one scrolls up, and finds lines", async () => {
  const { page, close } = await open();
  const lines = page.getByRole("log");
  const isShown = (text) => lines.getByText(text, { exact: true }).first().waitFor();
  await isShown("4999");
  assert.ok((await page.locator(".log-line").count()) < 100);
  await page.evaluate(() => globalThis.appendLog("\nthe very last\n"));
  await isShown("the very last");
  const follow = page.getByRole("button", { name: "Follow" });
  await lines.hover();
  await page.mouse.wheel(0, -600);
  await page.waitForFunction(() => document.querySelector(".log-bar button[aria-pressed=false]"));
  await page.evaluate(() => globalThis.appendLog("behind the back\n"));
  assert.equal(await lines.getByText("behind the back").count(), 0);
  await follow.click();
  await isShown("behind the back");

  await page.getByLabel("Search the log").fill("epoch 250 ");
  await page.getByText("1 of 1 line", { exact: true }).waitFor();
  await page.locator(".log-line.current mark").waitFor();
  assert.equal((await page.locator(".log-line.current mark").allInnerTexts()).join(""), "epoch 250 ");
  await page.getByLabel("Search the log").fill("WARN");
  await page.getByText("1 of 100 lines", { exact: true }).waitFor();
  await page.keyboard.press("Shift+Enter");
  await page.getByText("100 of 100 lines", { exact: true }).waitFor();
  await close();
});
