// A Chromium without anything of the machine's user in it. It loads nothing of its own from the network.
import { execFileSync } from "node:child_process";
import { chromium } from "playwright-core";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export function findChromium() {
  if (process.env.LATHE_CHROMIUM) return process.env.LATHE_CHROMIUM;
  const script = new URL("../../../scripts/chromium.sh", import.meta.url).pathname;
  return execFileSync(script, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
}

/** A fresh profile, deleted when the browser closes. */
export const launch = () => chromium.launch({ executablePath: findChromium(), headless: true, args: flags });

/** Writes down what a page does, and tells when it has come to rest. */
export function watch(page) {
  const seen = { requests: [], problems: [] };
  const open = new Set();
  // A stream stays open as long as its page: it is no sign of work.
  const isStream = (request) => request.url().includes("/stream");
  page.on("request", (request) => {
    seen.requests.push(request);
    if (!isStream(request)) open.add(request);
  });
  const close = (request) => open.delete(request);
  page.on("requestfinished", close);
  page.on("requestfailed", close);
  page.on("console", (message) => message.type() === "error" && seen.problems.push(`${page.url()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.problems.push(`${page.url()}: ${error.message}`));
  /** Nothing is asked, and two frames in a row asked for nothing more. */
  seen.rest = async () => {
    await page.waitForFunction(() => document.querySelector("h1") !== null && !document.querySelector("[role=progressbar], .skeleton"));
    for (let quiet = 0; quiet < 2; ) {
      const before = seen.requests.length;
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
      quiet = open.size === 0 && seen.requests.length === before ? quiet + 1 : 0;
    }
  };
  return seen;
}
