// Changing data in the browser: upload, delete, compare, merge with conflicts, revert; on a repository of its own.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, base } from "./api.mjs";
import { launch, openPage } from "./browser.mjs";

const name = `hands-${Date.now().toString(36)}`;
const repo = `/api/v1/repos/${name}`;
const put = (branch, path, body) => fetch(`${base}${repo}/refs/${branch}/objects/${path}`, { method: "PUT", body });
const commit = (branch, message) => ask("POST", `${repo}/branches/${branch}/commits`, { message });
const listed = async (ref) => (await ask("GET", `${repo}/refs/${ref}/objects`)).objects.map(({ path }) => path);

let browser;
let folder;
before(async () => {
  browser = await launch();
  folder = mkdtempSync(join(tmpdir(), "lathe-upload-"));
  mkdirSync(join(folder, "raw", "deep"), { recursive: true });
  writeFileSync(join(folder, "raw", "one.csv"), "a,b\n1,2\n");
  writeFileSync(join(folder, "raw", "deep", "two words.txt"), "two");
  writeFileSync(join(folder, "notes.txt"), "notes");
  await ask("POST", "/api/v1/repos", { name });
  await put("main", "keep.txt", "one\ntwo\nthree\n");
  await put("main", "table.csv", "id,price\n1,10\n2,20\n");
  await commit("main", "Begun");
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("files and a folder are uploaded by picker; what is marked is deleted with what lies in it", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/data/${name}`);
  await page.getByLabel("Files to upload").setInputFiles([join(folder, "notes.txt")]);
  await page.getByText("1 file of 1 uploaded").waitFor();
  await page.getByLabel("Folder to upload").setInputFiles(join(folder, "raw"));
  await page.getByText("3 files of 3 uploaded").waitFor();
  assert.deepEqual(await listed("main"), ["keep.txt", "notes.txt", "raw/deep/two words.txt", "raw/one.csv", "table.csv"]);
  assert.equal(await (await fetch(`${base}${repo}/refs/main/objects/raw/one.csv`)).text(), "a,b\n1,2\n");

  await page.getByRole("button", { name: "Close the list of uploads" }).click();
  await page.getByLabel("Mark raw").check();
  await page.getByLabel("Mark notes.txt").check();
  await page.getByText("2 entries marked").waitFor();
  await page.getByRole("button", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete 3 files on main" });
  await dialog.waitFor();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await dialog.waitFor({ state: "detached" });
  await rest();
  assert.deepEqual(await listed("main"), ["keep.txt", "table.csv"]);
  assert.equal(await page.getByText("marked", { exact: false }).count(), 0);
  await close();
});

test("files are dropped into the folder that is open, and a refused one says why and can be tried again", async () => {
  const { page, goto, close } = await openPage(browser, base);
  await goto(`/p/default/data/${name}?path=inbox/`);
  let refusals = 1;
  await page.route(/objects\/inbox\/bad\.txt$/, (route) =>
    refusals-- > 0
      ? route.fulfill({ status: 507, contentType: "application/problem+json", body: JSON.stringify({ code: "full", message: "the disk is full", hint: "make room" }) })
      : route.continue(),
  );
  const transfer = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    for (const file of ["good.txt", "bad.txt"]) data.items.add(new File([file], file));
    return data;
  });
  await page.locator(".drop-target").dispatchEvent("drop", { dataTransfer: transfer });
  await page.getByText("1 file of 2 uploaded, 1 failed").waitFor();
  await page.getByText("the disk is full (make room)").waitFor();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByText("2 files of 2 uploaded").waitFor();
  assert.deepEqual((await listed("main")).filter((path) => path.startsWith("inbox/")), ["inbox/bad.txt", "inbox/good.txt"]);

  await goto(`/p/default/data/${name}?tab=changes`);
  await page.getByRole("button", { name: "Discard all…" }).click();
  await page.getByRole("button", { name: "Discard all", exact: true }).click();
  await page.getByText("Everything on main is committed").waitFor();
  assert.deepEqual(await listed("main"), ["keep.txt", "table.csv"]);
  await close({ but: /507/ });
});

test("a folder's marker is deleted without the folder, and one change is discarded without the others", async () => {
  for (const path of ["kept/", "kept/one.txt", "kept/two.txt"]) await put("main", path, path.endsWith("/") ? "" : path);
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/data/${name}?path=kept/`);
  await page.getByLabel("Names that begin with").fill("t");
  await page.waitForURL(/prefix=t/);
  await page.getByText("Folder marker").waitFor({ state: "detached" });
  assert.equal(await page.getByRole("link", { name: "one.txt" }).count(), 0);
  await page.getByLabel("Names that begin with").fill("");
  await page.getByLabel("Mark the folder marker alone").check();
  await page.getByRole("button", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete 1 file on main" });
  await dialog.getByRole("button", { name: "Delete" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual((await listed("main")).filter((path) => path.startsWith("kept/")), ["kept/one.txt", "kept/two.txt"]);

  await page.getByText("Not committed (2)").click();
  await page.getByRole("button", { name: "Discard the change of kept/one.txt" }).click();
  await page.getByRole("dialog", { name: "Discard the change of kept/one.txt" }).getByRole("button", { name: "Discard" }).click();
  await page.getByText("Not committed (1)").waitFor();
  await page.getByRole("link", { name: "kept/two.txt" }).click();
  await rest();
  await page.getByRole("navigation", { name: "Folder" }).getByRole("link", { name: "kept" }).click();
  await rest();
  assert.equal(new URL(page.url()).searchParams.get("path"), "kept/");
  await ask("POST", `${repo}/branches/main/discard`, {});
  await close();
});

test("an emptied page leads to the first one, and a deletion under way stays in sight until it is stopped", async () => {
  for (let at = 0; at < 203; at++) await put("main", `lots/${1000 + at}.txt`, String(at));
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/data/${name}?path=lots/`);
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("link", { name: "1202.txt" }).waitFor();
  await page.getByLabel("Mark all that is listed").check();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByRole("dialog", { name: "Delete 3 files on main" }).getByRole("button", { name: "Delete" }).click();
  await page.getByRole("link", { name: "1000.txt" }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("token"), null);

  await page.route(/objects\/lots\//, (route) => setTimeout(() => route.continue().catch(() => {}), 1_000));
  await page.getByRole("navigation", { name: "Folder" }).getByRole("link", { name }).click();
  await page.getByLabel("Mark lots").check();
  await page.getByRole("button", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("200 files, ").waitFor();
  await dialog.getByRole("button", { name: "Delete" }).click();
  await dialog.getByText(/[1-9]\d* of 200 files deleted/).waitFor();
  await page.keyboard.press("Escape");
  await dialog.getByRole("button", { name: "Stop" }).click();
  await dialog.getByText(/It ended with \d+ of 200 files deleted; left: \d+ files/).waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await ask("POST", `${repo}/branches/main/discard`, {});
  await rest();
  await close();
});

test("a branch is deleted after it is said what is lost, and a commit that is made elsewhere shows by itself", async () => {
  await ask("POST", `${repo}/branches`, { name: "short-lived", from: "main" });
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/data/${name}?ref=short-lived&tab=commits`);
  await ask("POST", `${repo}/branches`, { name: "other", from: "main" });
  await page.getByLabel("Branch, tag or commit").locator("option", { hasText: "other" }).waitFor({ state: "attached" });
  await put("short-lived", "elsewhere.txt", "elsewhere");
  await commit("short-lived", "Made elsewhere");
  await page.getByRole("row", { name: /Made elsewhere/ }).waitFor();
  await rest();
  // What is written is no event: the tab's count is old by now, and what the dialog says is not.
  await put("short-lived", "lost.txt", "lost");
  await page.getByRole("button", { name: "Actions for short-lived" }).click();
  await page.getByRole("menuitem", { name: "Delete the branch…" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete the branch short-lived" });
  await dialog.getByText("1 change on it is not committed and would be lost for good.").waitFor();
  await dialog.getByRole("button", { name: "Delete branch" }).click();
  await page.waitForURL(/ref=main/);
  await rest();
  const { refs } = await ask("GET", `${repo}/branches`);
  assert.deepEqual(refs.map((ref) => ref.name), ["main", "other"]);
  await close();
});

test("what is marked in one repository is not marked in the next", async () => {
  const other = `${name}-next`;
  await ask("POST", "/api/v1/repos", { name: other });
  await fetch(`${base}/api/v1/repos/${other}/refs/main/objects/keep.txt`, { method: "PUT", body: "kept" });
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/data/${name}`);
  await page.getByRole("link", { name: "Data", exact: true }).first().click();
  await page.getByRole("link", { name: other, exact: true }).click();
  await page.getByLabel("Mark keep.txt").check();
  await page.getByText("1 entry marked").waitFor();
  // Straight to the first one, without a page between them.
  await page.evaluate(() => history.go(-2));
  await page.waitForURL((url) => url.pathname.endsWith(`/data/${name}`));
  await rest();
  assert.equal(await page.getByLabel("Mark keep.txt").isChecked(), false);
  assert.equal(await page.getByText("1 entry marked").count(), 0);
  await close();
});

test("two refs are compared down to the lines and cells, and merged: first forwards, then through a conflict", async () => {
  await ask("POST", `${repo}/branches`, { name: "fix", from: "main" });
  await put("fix", "keep.txt", "one\n2\nthree\n");
  await put("fix", "table.csv", "id,price,unit\n1,10,kg\n2,25,kg\n");
  await put("fix", "new/[a].txt", "new");
  await commit("fix", "Mended");
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/data/${name}/compare?to=fix`);
  await page.getByText("+1 added").first().waitFor();
  await page.getByRole("link", { name: "keep.txt" }).click();
  await rest();
  assert.equal(new URL(page.url()).searchParams.get("file"), "keep.txt");
  assert.deepEqual(await page.locator(".diff-lines .diff-removed .diff-text, .diff-lines .diff-added .diff-text").allInnerTexts(), ["two", "2"]);
  await page.getByRole("link", { name: "table.csv" }).click();
  await page.getByText("column unit is new").waitFor();
  assert.deepEqual(await page.locator(".diff-table mark").allInnerTexts(), ["20", "25"]);
  await page.getByLabel("Paths that begin with").fill("new/");
  await page.waitForURL(/prefix=new/);
  await rest();
  assert.equal(await page.locator(".compared-list tbody tr").count(), 1);

  await page.getByRole("button", { name: "Merge into main…" }).click();
  await page.getByText("A fast-forward: main has no commits of its own").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Merge", exact: true }).click();
  await page.waitForURL(/\/commits\//);
  await rest();
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Mended");

  for (const [branch, text] of [["fix", "from fix"], ["main", "from main"]]) {
    await put(branch, "new/[a].txt", text);
    await put(branch, "keep.txt", text);
    await commit(branch, `Both (${branch})`);
  }
  await goto(`/p/default/data/${name}/compare?to=fix&merge=1`);
  const dialog = page.getByRole("dialog", { name: "Merge fix into main" });
  await dialog.getByText("A merge commit on main joins both.").waitFor();
  await dialog.getByLabel("Message").fill("Joined by hand");
  await dialog.getByRole("button", { name: "Merge", exact: true }).click();
  await dialog.getByText("2 files changed on both sides").waitFor();
  assert.ok(await dialog.getByRole("button", { name: "Merge with these choices" }).isDisabled());
  await dialog.getByRole("row", { name: /keep\.txt/ }).getByRole("radio").nth(1).check();
  await page.keyboard.press("Escape");
  await dialog.getByText("1 choice would be lost.").waitFor();
  await dialog.getByRole("row", { name: /\[a\]\.txt/ }).getByRole("radio").nth(0).check();
  await dialog.getByRole("button", { name: "Merge with these choices" }).click();
  await page.waitForURL(/\/commits\//);
  await rest();
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Joined by hand");
  const read = async (path) => (await fetch(`${base}${repo}/refs/main/objects/${path}`)).text();
  assert.equal(await read("keep.txt"), "from main");
  assert.equal(await read("new/%5Ba%5D.txt"), "from fix");
  await close({ but: /409/ });
});

test("a commit is taken back from its page, which says what uses it and how to read it", async () => {
  const { commits } = await ask("GET", `${repo}/refs/main/log`);
  const mended = commits.find(({ message }) => message === "Mended");
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/data/${name}/commits/${mended.id}`);
  await page.getByRole("heading", { name: "Used by" }).waitFor();
  await page.getByText(`aws s3 cp --recursive s3://${name}/${mended.id.slice(0, 12)}/`).waitFor();
  await page.getByRole("button", { name: "Revert…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Revert", exact: true }).click();
  await dialog.getByText("changed again since").waitFor();
  await dialog.getByText("Keep what main holds").click();
  await dialog.getByLabel("Message").fill("Taken back");
  await dialog.getByRole("button", { name: "Revert", exact: true }).click();
  await page.waitForURL((url) => /\/commits\//.test(url.pathname) && !url.pathname.endsWith(mended.id));
  await rest();
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Taken back");
  assert.equal(await (await fetch(`${base}${repo}/refs/main/objects/table.csv`)).text(), "id,price\n1,10\n2,20\n");
  await close({ but: /409/ });
});
