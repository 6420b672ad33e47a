// A Chromium without anything of the machine's user in it, and pages that are watched: what they ask for and what goes wrong.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** How long a page may take; what waits for the server itself says so with `serverMs`. */
const pageMs = 60_000;

export function findChromium() {
  if (process.env.LATHE_CHROMIUM) return process.env.LATHE_CHROMIUM;
  const script = new URL("../../../scripts/chromium.sh", import.meta.url).pathname;
  return execFileSync(script, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
}

/** A fresh profile, deleted when the browser closes. */
export const launch = () => chromium.launch({ executablePath: findChromium(), headless: true, args: flags });

/** A page in a context of its own, with `goto(path)`, `rest()`, `requests`, `problems` and `close()`. */
export async function openPage(browser, base, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, baseURL: base, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(pageMs);
  const requests = [];
  const problems = [];
  const open = new Set();
  // A stream stays open as long as its page: it is no sign of work.
  const isStream = (request) => request.url().includes("/stream");
  page.on("request", (request) => {
    requests.push(request);
    if (!isStream(request)) open.add(request);
  });
  page.on("requestfinished", (request) => open.delete(request));
  page.on("requestfailed", (request) => open.delete(request));
  // Breaches of the content policy and answers with an error status are errors of the console too.
  page.on("console", (message) => message.type() === "error" && problems.push(`${page.url()}: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`${page.url()}: ${error.message}`));

  /** Until nothing is asked for, and nothing more is asked for after that. */
  const rest = async () => {
    await page.waitForFunction(() => document.querySelector("h1") !== null && !document.querySelector("[role=progressbar], .skeleton"));
    for (let quiet = 0; quiet < 3; ) {
      const before = requests.length;
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20))));
      quiet = open.size === 0 && requests.length === before ? quiet + 1 : 0;
    }
  };
  const goto = async (path) => {
    await page.goto(path);
    await rest();
  };
  /** Closes the page; nothing but what matches `but` may have gone wrong on it, and nothing may have been asked of another host. */
  const close = async ({ but } = {}) => {
    const foreign = requests.map((request) => request.url()).filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== new URL(base).origin);
    await context.close();
    assert.deepEqual(problems.filter((problem) => !but?.test(problem)), []);
    assert.deepEqual(foreign, []);
  };
  return { page, requests, problems, rest, goto, close };
}

export const isApi = (request) => /\/(api|ajax-api)\//.test(new URL(request.url()).pathname);
