// Walks through the application as people do, on a real server with real data.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, base, experimentIds, findRuns, mlflow } from "./api.mjs";
import { launch, openPage } from "./browser.mjs";

let browser;
let experiments;
before(async () => {
  browser = await launch();
  experiments = await experimentIds();
});
after(() => browser?.close());

const rowNames = (page) => page.getByRole("region", { name: "Runs" }).locator("tbody .sticky-name a").allInnerTexts();
const query = (page) => Object.fromEntries(new URL(page.url()).searchParams);

/** Whether anything was drawn: a canvas starts as transparent as glass. */
const isDrawn = (canvas) =>
  canvas.evaluate((element) => element.getContext("2d").getImageData(0, 0, element.width, element.height).data.some((value, at) => at % 4 === 3 && value > 0));

test("home counts what there is and leads to a run", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/");
  assert.equal(new URL(page.url()).pathname, "/p/default/home");
  await page.getByRole("link", { name: "73 runs" }).waitFor();
  await page.getByRole("link", { name: "2 models, 3 versions" }).waitFor();
  await page.locator(".activity li").first().waitFor();
  const first = page.getByRole("row").nth(1).getByRole("link").first();
  const name = await first.innerText();
  await first.click();
  await rest();
  assert.ok((await page.getByRole("heading", { level: 1 }).innerText()).includes(name));
  await close();
});

test("the runs table filters, sorts and shows chosen columns, and the address keeps all of it", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/runs");
  const filter = "params.solver = 'adam' AND metrics.accuracy > 0.5";
  await page.getByLabel("Filter runs").fill(filter);
  await page.getByLabel("Filter runs").press("Enter");
  await rest();
  await page.getByRole("columnheader", { name: "accuracy", exact: true }).getByRole("button").click();
  await rest();
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByRole("checkbox", { name: "team" }).check();
  await page.keyboard.press("Escape");
  await page.getByRole("columnheader", { name: "team" }).waitFor();
  await rest();

  const expected = await ask("POST", "/api/v1/runs/search", { experiment_ids: [...experiments.values()], filter, order_by: ["metrics.accuracy DESC"], columns: [] });
  const names = expected.runs.map((run) => run.run_name);
  assert.ok(names.length > 3);
  assert.deepEqual(await rowNames(page), names);
  const { q, sort, cols } = query(page);
  assert.equal(q, filter);
  assert.equal(sort, "-metrics.accuracy");
  assert.ok(cols.split(",").includes("tags.team"));

  const isKept = async () => {
    assert.deepEqual(await rowNames(page), names);
    assert.equal(await page.getByLabel("Filter runs").inputValue(), filter);
    assert.equal(await page.getByRole("columnheader", { name: "accuracy", exact: true }).getAttribute("aria-sort"), "descending");
    assert.equal(await page.getByRole("columnheader", { name: "team" }).count(), 1);
  };
  await page.reload();
  await rest();
  await isKept();
  await page.getByRole("link", { name: names[0], exact: true }).click();
  await page.getByRole("navigation", { name: "Parts of the run" }).waitFor();
  await rest();
  await page.goBack();
  await rest();
  await isKept();

  await page.getByLabel("Filter runs").fill("metrics.accuracy >");
  // The server's answer to a broken filter is an error status, which the browser notes.
  await page.getByLabel("Filter runs").press("Enter");
  await page.getByRole("alert").waitFor();
  await page.getByRole("button", { name: "Clear filter" }).click();
  await rest();
  assert.ok((await rowNames(page)).length > names.length);
  await close({ but: /400/ });
});

test("selected runs are compared, and only what differs is shown", async () => {
  const runs = await findRuns([experiments.get("fraud-scoring")], "attributes.status = 'FINISHED'", ["params.solver", "params.random_state"]);
  const [first, second] = [runs[0], runs.find((run) => run.values["params.solver"] !== runs[0].values["params.solver"])];
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/runs?exp=${experiments.get("fraud-scoring")}`);
  for (const run of [first, second]) await page.getByRole("checkbox", { name: `Select ${run.run_name}` }).check();
  await page.getByRole("link", { name: "Compare" }).click();
  await page.getByRole("heading", { name: "Compare 2 runs" }).waitFor();
  await rest();
  const table = page.getByRole("region", { name: "Comparison" });
  await table.getByText("solver", { exact: true }).waitFor();
  assert.equal(await table.getByText("random_state", { exact: true }).count(), 0);
  for (const run of [first, second]) await table.getByText(run.values["params.solver"], { exact: true }).first().waitFor();
  await page.getByRole("checkbox", { name: "Only differences" }).uncheck();
  await table.getByText("random_state", { exact: true }).waitFor();
  await page.goBack();
  await rest();
  assert.equal(query(page).sel.split(",").length, 2);
  await close();
});

test("a run draws its charts and previews its files", async () => {
  const [run] = await findRuns([experiments.get("digits")], "attributes.run_name = 'logistic-0.1'");
  const { page, goto, close } = await openPage(browser, base);
  await goto(`/p/default/runs/${run.run_id}?tab=charts`);
  for (const key of ["accuracy", "loss"]) {
    const chart = page.locator("figure.metric-chart", { has: page.getByTitle(key, { exact: true }) });
    await chart.getByText("20 points").waitFor();
    assert.ok(await isDrawn(chart.locator("canvas").first()), `${key} is drawn`);
  }
  await page.getByRole("button", { name: "Show loss as a table" }).click();
  await page.getByRole("cell", { name: "0.05", exact: true }).waitFor();

  await page.getByRole("navigation", { name: "Parts of the run" }).getByRole("link", { name: "Files" }).click();
  await page.getByRole("button", { name: /^picture.png/ }).click();
  await page.getByText("64 × 64").waitFor();
  await page.getByRole("button", { name: /^predictions.csv/ }).click();
  await page.getByRole("columnheader", { name: "predicted" }).waitFor();
  await page.getByRole("button", { name: /^notes.txt/ }).click();
  await page.getByText("Trained on 500 images.").waitFor();
  await page.getByRole("button", { name: "Folder report" }).click();
  await page.getByRole("button", { name: /^summary.json/ }).click();
  await page.getByText("classes").waitFor();
  await close();
});

test("an alias moves through the dialog, which says from where and to where", async () => {
  const { page, goto, close } = await openPage(browser, base);
  const holder = async () => (await ask("GET", `${mlflow}/registered-models/alias?name=digit-reader&alias=challenger`)).model_version.version;
  assert.equal(await holder(), "2");
  await goto("/p/default/models?q=digit");
  assert.equal(await page.getByRole("link", { name: "empty-model" }).count(), 0);
  await page.getByRole("link", { name: "digit-reader" }).click();
  await page.getByRole("button", { name: "Actions for version 3" }).click();
  await page.getByRole("menuitem", { name: "Set alias…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Alias").fill("challenger");
  await dialog.getByText("challenger moves from version 2 to version 3").waitFor();
  await dialog.getByRole("button", { name: "Move alias" }).click();
  await page.getByText("Alias challenger moved from version 2 to version 3").waitFor();
  await page.getByRole("row", { name: /^Version 3 challenger/ }).waitFor();
  assert.equal(await holder(), "3");
  await close();
});

test("a model is described, tagged, renamed and deleted", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/models");
  await page.getByRole("button", { name: "New model" }).click();
  await page.getByLabel("Name").fill("scratch");
  await page.getByRole("button", { name: "Create model" }).click();
  await page.getByRole("heading", { name: "scratch", level: 1 }).waitFor();
  await page.getByRole("button", { name: "Edit description" }).click();
  await page.getByRole("textbox", { name: "Description" }).fill("For a test.");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("For a test.").waitFor();
  await page.getByLabel("Tag name").fill("team");
  await page.getByLabel("Tag value").fill("vision");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByTitle("team: vision").waitFor();
  const { registered_model: made } = await ask("GET", `${mlflow}/registered-models/get?name=scratch`);
  assert.equal(made.description, "For a test.");
  assert.deepEqual(made.tags, [{ key: "team", value: "vision" }]);

  await page.getByRole("button", { name: "Actions for scratch" }).click();
  await page.getByRole("menuitem", { name: "Rename…" }).click();
  await page.getByLabel("New name").fill("scratch/2");
  await page.getByRole("button", { name: "Rename" }).click();
  // The server's own words for why this is no name of a model; the browser notes the refusal.
  await page.getByRole("dialog").getByRole("alert").waitFor();
  await page.getByLabel("New name").fill("scratch 2");
  await page.getByRole("button", { name: "Rename" }).click();
  await page.getByRole("heading", { name: "scratch 2", level: 1 }).waitFor();
  await rest();

  await page.getByRole("button", { name: "Actions for scratch 2" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  const remove = page.getByRole("dialog").getByRole("button", { name: "Delete model" });
  assert.ok(await remove.isDisabled());
  await page.getByLabel("Type scratch 2 to confirm").fill("scratch 2");
  await remove.click();
  await page.getByRole("heading", { name: "Models", level: 1 }).waitFor();
  await page.getByRole("link", { name: "digit-reader" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "scratch 2" }).count(), 0);
  await close({ but: /400/ });
});

test("a version shows its signature, its metrics beside the champion's, its files and where it came from", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/models/digit-reader/versions/2");
  await page.getByRole("cell", { name: "float64 (-1, 64)" }).waitFor();
  await page.getByLabel("Input example", { exact: true }).waitFor();
  await page.getByRole("columnheader", { name: "Version 1" }).waitFor();
  await page.getByRole("row", { name: /^accuracy 1 \(better\) 0\.\d+ \+0\.\d+/ }).waitFor();
  await page.getByText("model = mlflow.pyfunc.load_model(\"models:/digit-reader/2\")").waitFor();
  await page.getByRole("cell", { name: "MLmodel", exact: true }).waitFor();
  const graph = page.getByRole("region", { name: "Lineage graph" });
  await graph.getByRole("link", { name: "run logistic-0.1" }).waitFor();
  await graph.getByRole("link", { name: /digits-train/ }).waitFor();
  await graph.getByRole("link", { name: "run logistic-0.1" }).click();
  await page.getByRole("navigation", { name: "Parts of the run" }).waitFor();
  await rest();
  await close();
});

test("the audit log is filtered, explains an event, and is verified", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/audit");
  await page.getByLabel("Action", { exact: true }).selectOption("alias.set");
  await rest();
  const rows = page.locator(".audit-table tbody tr");
  for (const text of await rows.locator("td:nth-child(4)").allInnerTexts()) assert.equal(text, "alias.set");
  await page.getByRole("button", { name: "Details of alias.set" }).last().click();
  await page.locator(".event-json").getByText('"previous_version": null').waitFor();
  assert.equal(query(page).action, "alias.set");
  await page.reload();
  await rest();
  await page.locator(".event-json").getByText('"previous_version": null').waitFor();

  await page.getByRole("button", { name: "Verify chain" }).click();
  await page.getByText("Chain verified.").waitFor();
  const { head } = await ask("GET", "/api/v1/audit/verify");
  await page.getByText(head).waitFor();

  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export" }).click();
  await page.getByRole("menuitem", { name: "JSON lines" }).click();
  const download = await saved;
  assert.match(download.suggestedFilename(), /^audit-default-.*\.jsonl$/);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const events = Buffer.concat(chunks).toString().trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(events.length >= 2 && events.every((event) => event.action === "alias.set" && event.hash));
  await close();
});

test("the palette finds a run by its name", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/home");
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("dialog", { name: "Find anything" });
  await palette.getByRole("combobox").fill("logistic-1.0");
  await palette.getByRole("option", { name: /logistic-1\.0/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /logistic-1\.0/ }).waitFor();
  await rest();
  await close();
});

test("the dark theme is chosen in the menu and stays", async () => {
  const { page, goto, close } = await openPage(browser, base, { colorScheme: "light" });
  await goto("/p/default/home");
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await page.getByRole("heading", { level: 1 }).waitFor();
  assert.equal(await ground(), dark);
  await close();
});

test("a run that is logged while the table is open appears in it", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/default/runs?exp=${experiments.get("ranking")}`);
  const { run } = await ask("POST", `${mlflow}/runs/create`, { experiment_id: experiments.get("ranking"), run_name: "just-now", start_time: Date.now() });
  await page.getByText("just-now").or(page.getByRole("button", { name: /new run/ })).first().waitFor();
  await ask("POST", `${mlflow}/runs/delete`, { run_id: run.info.run_id });
  await rest();
  await close();
});
