// Where things come from and what came from them: on the pages of things, and in the explorer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { base, experimentIds, findRuns } from "./api.mjs";
import { launch, openPage } from "./browser.mjs";

const query = (page) => Object.fromEntries(new URL(page.url()).searchParams);
const path = (page) => new URL(page.url()).pathname;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** The links of a list as `label kind`. */
async function listed(page, title) {
  const lines = await page.getByRole("group", { name: title, exact: true }).getByRole("listitem").allInnerTexts();
  return lines.map((line) => line.replace(/\s+/g, " ").trim());
}

test("a run's page lists what it read and what it led to, and leads there", async () => {
  const [run] = await findRuns([(await experimentIds()).get("digits")], "attributes.run_name = 'logistic-0.1'");
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/runs/${run.run_id}`);
  assert.match((await listed(page, "Came from")).join("; "), /digits-train@\S+ dataset/);
  const down = await listed(page, "Led to");
  assert.ok(down.includes("digit-reader v2 model version"), down.join("; "));
  await page.getByRole("group", { name: "Led to" }).getByRole("link", { name: "digit-reader v2" }).click();
  await page.getByRole("heading", { level: 1, name: /Version 2/ }).waitFor();
  assert.equal(path(page), "/p/default/models/digit-reader/versions/2");
  await rest();
  await close();
});

test("a model's page lists them of its champion or of a chosen version, and leads there", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/models/digit-reader");
  const which = page.getByLabel("Version whose lineage is shown");
  assert.equal(await which.inputValue(), "1");
  assert.match((await listed(page, "Came from")).join("; "), /logistic-0\.01 run/);
  await which.selectOption("3");
  // The run, and below it the model that it logged, which is called as the run is.
  const came = page.getByRole("group", { name: "Came from" }).getByRole("link", { name: "logistic-1.0" });
  await came.nth(1).waitFor();
  assert.deepEqual(query(page), { of: "3" });
  assert.match((await listed(page, "Came from")).join("; "), /logistic-1\.0 run; logistic-1\.0 logged model/);
  await came.first().click();
  await page.getByRole("navigation", { name: "Parts of the run" }).waitFor();
  await rest();

  await goto("/p/serving/models/line");
  await page.getByRole("group", { name: "Led to" }).getByRole("link", { name: "scorer", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "scorer" }).waitFor();
  await goto("/p/default/models/empty-model");
  await page.getByText("It begins with the first version.").waitFor();
  await close();
});

test("a version's and a deployment's page list them, and lead there and back", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/serving/models/line/versions/1");
  assert.match((await listed(page, "Came from")).join("; "), /slope-1\.0 run/);
  await page.getByRole("group", { name: "Led to" }).getByRole("link", { name: "scorer", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "scorer" }).waitFor();
  await rest();
  const up = await listed(page, "Came from");
  assert.ok(up.includes("line v1 model version") && up.some((line) => line.startsWith("slope-1.0 run")), up.join("; "));
  const down = await listed(page, "Led to");
  assert.ok(down.some((line) => / window$/.test(line)), down.join("; "));
  await page.getByRole("group", { name: "Came from" }).getByRole("link", { name: "line v2" }).click();
  await page.getByRole("heading", { level: 1, name: /Version 2/ }).waitFor();
  await rest();
  await close();
});

test("the explorer begins from what is found in it, and the address keeps way, steps and hidden kinds", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/home");
  await page.getByRole("link", { name: "Lineage", exact: true }).click();
  for (const heading of ["Runs", "Model versions", "Data commits"]) await page.getByRole("region", { name: heading }).getByRole("link").first().waitFor();
  await page.keyboard.press("/");
  await page.keyboard.type("digit-r");
  await page.getByRole("region", { name: "Runs" }).waitFor({ state: "detached" });
  assert.deepEqual(query(page), { q: "digit-r" });
  await page.getByRole("link", { name: "digit-reader v3" }).click();
  const graph = page.getByRole("region", { name: "Lineage graph" });
  await graph.getByRole("link", { name: "model version digit-reader v3" }).waitFor();
  assert.deepEqual(query(page), { name: "default/model/digit-reader/3" });

  await page.getByRole("radio", { name: "Came from" }).check({ force: true });
  await page.getByLabel("Steps").selectOption("3");
  const dataset = graph.getByRole("link", { name: /digits-train/ });
  await dataset.waitFor();
  const kinds = page.getByRole("group", { name: "Kinds that are shown" });
  await kinds.getByLabel("run 1").uncheck();
  await kinds.getByLabel("logged model 1").uncheck();
  await graph.getByRole("link", { name: "logistic-1.0" }).waitFor({ state: "detached" });
  assert.equal(await graph.getByRole("listitem").count(), 2);
  await page.getByText("As a list (1 connection)").click();
  assert.match((await page.getByRole("row").nth(1).innerText()).replace(/\s+/g, " "), /digits-train\S* indirectly model version digit-reader v3/);
  const kept = { name: "default/model/digit-reader/3", way: "up", depth: "3", hide: "run,logged-model" };
  assert.deepEqual(query(page), kept);
  await page.reload();
  await rest();
  assert.equal(await graph.getByRole("listitem").count(), 2);
  assert.deepEqual(query(page), kept);

  // A box of the graph comes into the middle, too; its page has a link of its own.
  assert.match(await graph.getByRole("link", { name: "Page of digit-reader v3" }).getAttribute("href"), /\/models\/digit-reader\/versions\/3$/);
  await dataset.click();
  await page.getByRole("heading", { level: 1, name: /Lineage of dataset/ }).waitFor();
  assert.match(query(page).name, /^default\/dataset\/digits-train/);
  assert.deepEqual({ ...query(page), name: kept.name }, kept);
  await page.getByRole("heading", { name: "What depends on it" }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { level: 1, name: /digit-reader v3/ }).waitFor();

  // Another thing comes into the middle; how it is looked at stays.
  await page.getByLabel("Find a run, model, deployment, commit…").fill("run/nothing-like-it");
  await page.getByRole("region", { name: "By name" }).getByRole("link").click();
  await page.getByRole("heading", { level: 1, name: /Lineage of run/ }).waitFor();
  assert.deepEqual(query(page), { ...kept, name: "default/run/nothing-like-it" });
  await page.getByLabel("Find a run, model, deployment, commit…").fill("no such thing");
  await page.getByRole("heading", { name: "Nothing here is called “no such thing”" }).waitFor();
  await rest();
  await close();
});
