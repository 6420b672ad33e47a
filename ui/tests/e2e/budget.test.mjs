// What pages may ask of the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { base, experimentIds, findRuns } from "./api.mjs";
import { isApi, launch, openPage } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("the runs table opens with at most 5 API requests", async () => {
  const { requests, goto, close } = await openPage(browser, base);
  await goto("/p/default/runs");
  const asked = requests.filter(isApi).map((request) => `${request.method()} ${new URL(request.url()).pathname}`);
  assert.ok(asked.length > 0 && asked.length <= 5, asked.join("\n"));
  await close();
});

test("the chart of 10 runs with 10,000 points each costs at most 100 kB", async () => {
  const long = await findRuns([(await experimentIds()).get("long-curves")]);
  assert.equal(long.length, 10);
  const { page, goto, close } = await openPage(browser, base);
  const answers = [];
  page.on("response", (response) => {
    if (response.url().endsWith("/metrics/series")) answers.push(response.body());
  });
  await goto(`/p/default/compare?tab=charts&runs=${long.map((run) => run.run_id).join(",")}`);
  await page.getByText("100,000 points in buckets").waitFor();
  const sizes = (await Promise.all(answers)).map((body) => body.length);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  assert.ok(bytes > 10_000 && bytes <= 100_000, `${bytes} bytes of points in ${sizes.length} answers`);
  await close();
});

test("the page's frame, script and style come compressed and may be kept for ever", async () => {
  const { requests, goto, close } = await openPage(browser, base);
  await goto("/p/default/home");
  const assets = requests.filter((request) => new URL(request.url()).pathname.startsWith("/assets/"));
  assert.ok(assets.length > 2);
  for (const request of assets) {
    const headers = await (await request.response()).allHeaders();
    assert.match(headers["cache-control"], /immutable/, request.url());
  }
  const entry = assets.find((request) => /index-.*\.js$/.test(request.url()));
  assert.equal((await (await entry.response()).allHeaders())["content-encoding"], "br");
  await close();
});
