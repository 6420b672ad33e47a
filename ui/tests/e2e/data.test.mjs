// Walks through the pages of the data store, on a real server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, base } from "./api.mjs";
import { launch, openPage } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("a folder is browsed down to a file, and the address says where one is", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/data");
  await page.getByRole("link", { name: "flights", exact: true }).click();
  await rest();
  await page.getByRole("link", { name: "2013", exact: true }).click();
  await rest();
  await page.getByRole("link", { name: "jan.csv", exact: true }).click();
  await rest();
  assert.equal(new URL(page.url()).searchParams.get("file"), "2013/jan.csv");
  assert.deepEqual(await page.locator(".artifact-scroll tbody tr").first().locator("td").allInnerTexts(), ["1", "UA", "11"]);
  await page.getByRole("navigation", { name: "Folder" }).getByRole("link", { name: "flights" }).click();
  await rest();
  const ref = page.getByLabel("Branch, tag or commit");
  const here = page.url();
  await ref.selectOption("Type a name or a commit…");
  await ref.fill("half a na");
  await page.keyboard.press("Escape");
  await ref.selectOption("Type a name or a commit…");
  await page.getByRole("button", { name: "Show" }).click();
  assert.equal(page.url(), here, "left, or applied as it was");
  await ref.selectOption("v1");
  await rest();
  assert.equal(new URL(page.url()).searchParams.get("ref"), "v1");
  assert.equal(await page.getByRole("link", { name: "added.txt" }).count(), 0, "it is not in the tag");
  await close();
});

test("what is not committed is shown, committed, and is then a commit with its changes and lineage", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await fetch(`${base}/api/v1/repos/flights/refs/main/objects/by-hand.txt`, { method: "PUT", body: "by hand" });
  await goto("/p/default/data/flights?tab=changes");
  await page.getByRole("row", { name: /added by-hand.txt/ }).waitFor();
  await page.getByRole("button", { name: "Commit", exact: true }).click();
  await page.getByLabel("Message").fill("Added by hand");
  await page.getByRole("dialog").getByRole("button", { name: "Commit", exact: true }).click();
  await page.getByText("Everything on main is committed").waitFor();
  await page.getByText("Commits", { exact: true }).click();
  await rest();
  const newest = page.getByRole("row").nth(1);
  assert.match(await newest.innerText(), /Added by hand/);
  await newest.getByRole("link").click();
  await rest();
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Added by hand");
  await page.getByRole("row", { name: /added by-hand.txt/ }).waitFor();
  const { commits } = await ask("GET", "/api/v1/repos/flights/refs/main/log");
  assert.ok(page.url().endsWith(`/data/flights/commits/${commits[0].id}`));
  await close();
});

test("a branch is made where one is, and a repository from nothing", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/data/flights?ref=v1");
  await page.getByRole("button", { name: "New branch" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("from-tag");
  await page.getByRole("button", { name: "Create branch" }).click();
  await page.waitForURL(/ref=from-tag/);
  const { commit_id } = (await ask("GET", "/api/v1/repos/flights/branches")).refs.find((branch) => branch.name === "from-tag");
  assert.equal(commit_id, (await ask("GET", "/api/v1/repos/flights/tags")).refs[0].commit_id);

  await goto("/p/default/data");
  await page.getByRole("button", { name: "New repository" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("Not A Name");
  await page.getByRole("button", { name: "Create repository" }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  await page.getByRole("dialog").getByLabel("Name").fill("made-by-hand");
  await page.getByRole("button", { name: "Create repository" }).click();
  await page.waitForURL(/data\/made-by-hand$/);
  await rest();
  await page.getByText("No files on main yet").waitFor();
  await close({ but: /400/ });
});
