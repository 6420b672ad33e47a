// Deployments in the browser: looked at, asked, watched, changed; in a project of their own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, base, mlflow, serverMs, until } from "./api.mjs";
import { launch, openPage } from "./browser.mjs";

const pages = "/p/serving/deployments";
const api = "/p/serving/api/v1/deployments";
const query = (page) => Object.fromEntries(new URL(page.url()).searchParams);
const cells = (row) => row.getByRole("cell").allInnerTexts();

const versions = async (name) => Object.fromEntries((await ask("GET", `${api}/${name}`)).versions.map((version) => [version.role, version]));

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test("the list shows state, version and traffic, is searched, and leads by keys to a page that says why a model does not start", async () => {
  await until(async () => (await versions("broken")).primary.state === "failed");
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(pages);
  const [, broken, scorer] = await page.getByRole("row").all();
  assert.deepEqual((await cells(broken)).slice(0, 3), ["broken", "Failed", "unloadable v1"]);
  assert.deepEqual((await cells(scorer)).slice(0, 3), ["scorer", "Ready", "line v1"]);
  await scorer.getByRole("img", { name: "Traffic: primary line v1 75 %, canary line v2 25 %" }).waitFor();

  await page.keyboard.press("/");
  await page.keyboard.type("unload");
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 1);
  assert.deepEqual(query(page), { q: "unload" });
  await page.getByRole("heading", { level: 1 }).click();
  await page.keyboard.press("Escape");
  await page.locator("body").evaluate(() => document.activeElement.blur());
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByText("the vocabulary file is missing").waitFor();
  assert.equal(new URL(page.url()).pathname, `${pages}/broken`);
  await rest();
  await close();
});

test("the palette, the sidebar and a key lead to the deployments; one that does not exist says so; a project without any says how to begin", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/home");
  await page.keyboard.press("g");
  await page.keyboard.press("s");
  await page.getByRole("heading", { name: "No deployments yet" }).waitFor();
  await page.getByText("lathe deploy create scorer --model models:/my-model@champion").waitFor();
  await goto("/p/serving/home");
  const side = page.getByRole("complementary", { name: "Deployments, pipelines and getting started" });
  await side.getByRole("link", { name: "1 alert" }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("scor");
  await page.getByRole("group", { name: "Deployments" }).getByRole("option", { name: "scorer" }).waitFor();
  await page.getByRole("combobox").fill("deploym");
  await page.keyboard.press("Enter");
  await page.getByRole("table", { name: "Deployments" }).waitFor();
  assert.equal(await page.getByRole("link", { name: "Deployments", exact: true }).getAttribute("aria-current"), "page");
  await goto(`${pages}/nothing`);
  await page.getByRole("heading", { name: "There is no such deployment" }).waitFor();
  await rest();
  await close({ but: /404/ });
});

test("a deployment is asked from its page: the answer, how long it took, and where the prediction came from", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`${pages}/scorer?tab=try`);
  const body = page.getByLabel("Body of the request");
  assert.deepEqual(JSON.parse(await body.inputValue()), { dataframe_split: { columns: ["age", "income"], data: [[20, 4], [40, 3]] } });
  await body.fill('{"dataframe_split": {"columns": ["age"], "data": [[1.0]]}}');
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").getByText("income").waitFor();
  await body.fill("{");
  assert.ok(await page.getByRole("button", { name: "Send" }).isDisabled());
  await page.getByRole("button", { name: "Example again" }).click();
  await body.press("Control+Enter");
  const answer = page.getByLabel("Answer", { exact: true });
  await answer.waitFor();
  const { predictions } = JSON.parse(await answer.innerText());
  assert.equal(predictions.length, 2);
  assert.ok([24, 44].some((first) => Math.abs(predictions[0] - first) < 0.01), String(predictions[0]));
  await page.getByText(/^[\d.]+ ms from this browser and back$/).waitFor();

  await page.getByLabel("Snippet").getByText("curl ").waitFor();
  await page.getByText("tritonclient", { exact: true }).click();
  await page.getByText('("age", "FP64", np.zeros([1, 1], dtype=np.float64)),').waitFor();
  assert.deepEqual(query(page), { tab: "try", client: "triton" });

  const request = page.getByTitle("Where this prediction came from");
  const id = await request.innerText();
  assert.match(id, /^[0-9a-f]{32}$/);
  await until(async () => (await fetch(`${base}/p/serving/api/v1/lineage?name=serving/prediction/${id}&direction=up&depth=2`).then((found) => found.json())).nodes?.length > 1);
  await request.click();
  await page.getByRole("region", { name: "Lineage graph" }).getByRole("link", { name: /deployment scorer/ }).waitFor();
  await page.getByRole("region", { name: "Lineage graph" }).getByRole("link", { name: /model version line v\d/ }).waitFor();
  await rest();
  await close({ but: /400/ });
});

test("traffic, drift, quality and alerts are drawn by window, and the address keeps what is looked at", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`${pages}/scorer?tab=traffic`);
  for (const name of [/^Requests per \w+ over time$/, "Share of failed requests over time", "p95 of the latency over time"]) await page.getByRole("img", { name }).waitFor();
  await page.getByRole("radio", { name: "p99" }).check({ force: true });
  await page.getByRole("img", { name: "p99 of the latency over time" }).waitFor();
  await page.getByLabel("Version", { exact: true }).selectOption("2");
  await rest();
  assert.deepEqual(query(page), { tab: "traffic", lat: "p99", v: "2" });
  assert.equal(await page.getByText("v1 (primary)").count(), 0);

  const { windows } = await ask("GET", `${api}/scorer/drift`);
  const drifted = windows.at(5);
  await goto(`${pages}/scorer?tab=drift&window=${drifted.start_ms}`);
  await page.getByRole("img", { name: "Population stability index over time" }).waitFor();
  const bars = page.getByRole("table", { name: "Drift by column" });
  assert.match((await cells(bars.getByRole("row").nth(1))).join(" "), /^age .*above .*drifted/);
  await page.getByRole("table", { name: "Distribution of age" }).waitFor();
  await bars.getByRole("link", { name: "income" }).click();
  await page.getByRole("table", { name: "Distribution of income" }).waitFor();
  assert.deepEqual(query(page), { tab: "drift", window: String(drifted.start_ms), column: "income" });

  await goto(`${pages}/scorer?tab=quality&measure=mae`);
  await page.getByRole("img", { name: "mae over time" }).waitFor();
  await page.getByText(/320 of \d+ answered rows have a label/).waitFor();

  // A window that is not among the latest is looked for; one that is gone is said to be.
  await goto(`${pages}/scorer?tab=traffic&n=1&window=${drifted.start_ms}`);
  await page.getByText(/^Around the window of /).waitFor();
  await page.getByRole("img", { name: "Share of failed requests over time" }).waitFor();
  await page.getByRole("button", { name: "Show the newest" }).click();
  await rest();
  assert.deepEqual(query(page), { tab: "traffic", n: "1" });
  await goto(`${pages}/scorer?tab=quality&window=1`);
  await page.getByText(/^The window of .* is no longer kept/).waitFor();
  await page.getByLabel("from", { exact: true }).fill("2000-01-01T00:00");
  await page.getByLabel("to", { exact: true }).fill("2000-01-02T00:00");
  await page.waitForURL(/[?&]to=/);
  await rest();
  assert.deepEqual(Object.keys(query(page)).sort(), ["from", "tab", "to"]);

  await page.getByRole("link", { name: "Alerts" }).click();
  const alerts = page.getByRole("table", { name: "Alerts" });
  assert.match((await cells(alerts.getByRole("row").nth(1))).join(" "), /^inputs drift Warning Open/);
  // The pipeline starts within seconds of its alert; what the page asked for before that is asked for again.
  await until(async () => (await ask("GET", "/p/serving/api/v1/pipeline-runs")).runs.length > 0);
  await page.reload();
  await alerts.getByRole("link", { name: "retrain #1" }).waitFor();
  assert.match(await alerts.getByRole("link", { name: "retrain #1" }).getAttribute("href"), /^\/p\/serving\/pipeline-runs\/[0-9a-f]{32}$/);
  await alerts.getByRole("row").nth(1).getByRole("link").first().click();
  await page.getByRole("img", { name: "Share of drifted inputs over time" }).waitFor();
  assert.ok(windows.some(({ start_ms }) => String(start_ms) === query(page).window));
  await rest();
  await close();
});

test("an alert rule is made and deleted, and a refusal is shown in the server's words", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`${pages}/scorer?tab=alerts`);
  await page.getByRole("button", { name: "New rule" }).click();
  const dialog = page.getByRole("dialog", { name: "New alert rule" });
  await dialog.getByLabel("Name").fill("inputs drift");
  await dialog.getByRole("button", { name: "Create rule" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Name").fill("errors fall");
  await dialog.getByLabel("Looks at").selectOption("quality");
  await dialog.getByLabel("Measure").selectOption("mae");
  await dialog.getByLabel("Threshold").fill("99");
  await dialog.getByRole("radio", { name: "Critical" }).check({ force: true });
  await dialog.getByRole("button", { name: "Create rule" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("cell", { name: "mae above 99" }).waitFor();
  await page.getByRole("button", { name: "Delete rule errors fall" }).click();
  await page.getByRole("button", { name: "Delete rule", exact: true }).click();
  await page.getByRole("cell", { name: "mae above 99" }).waitFor({ state: "detached" });
  await rest();
  await close({ but: /409/ });
});

test("how a deployment is monitored is changed in a form, and a refusal keeps it open", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`${pages}/scorer?tab=alerts`);
  await page.getByRole("button", { name: "Change…" }).click();
  const dialog = page.getByRole("dialog", { name: "Monitoring" });
  assert.equal(await dialog.getByLabel("Window, in minutes").inputValue(), "60");
  assert.ok(await dialog.getByRole("checkbox").isChecked());
  await dialog.getByLabel("Window, in minutes").fill("30");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.getByRole("alert").getByText("cannot change").waitFor();
  await dialog.getByLabel("Window, in minutes").fill("60");
  await dialog.getByLabel("Kept for, in days").fill("30");
  await dialog.getByLabel("The answers are").selectOption("regression");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  await page.getByText("A window is 1 hour long; of 100 % of the requests the rows are kept, for 30 days.").waitFor();
  const { retention_ms, task, allows_replay, window_ms } = await ask("GET", `${api}/scorer/monitoring`);
  assert.deepEqual({ retention_ms, task, allows_replay, window_ms }, { retention_ms: 30 * 86_400_000, task: "regression", allows_replay: true, window_ms: 3_600_000 });
  await rest();
  await close({ but: /409/ });
});

test("labels do not hide what was done to a deployment", async () => {
  const { windows } = await ask("GET", `${api}/scorer/traffic`);
  const { events: before } = await ask("GET", "/p/serving/api/v1/activity?subject=serving/deployment/scorer&action=monitoring.labels_added&max_results=100");
  assert.ok(windows.length && before.length);
  const { page, goto, close } = await openPage(browser, base);
  await goto(`${pages}/scorer`);
  const history = page.getByRole("listitem");
  await history.getByText("Created with line v1", { exact: true }).waitFor();
  await history.getByText(/^Alert inputs drift/).first().waitFor();
  assert.equal(await history.getByText(/labels/).count(), 0);
  await close();
});

test("a deployment is made, gets a canary and a shadow, is promoted, rolled back and deleted; its history and the version's page say so", async () => {
  const name = `hands-${Date.now().toString(36)}`;
  const { page, goto, rest, close } = await openPage(browser, base);
  const traffic = (parts) => page.getByRole("img", { name: `Traffic: ${parts}` }).waitFor({ timeout: serverMs });
  await goto(pages);
  await page.getByRole("button", { name: "New deployment" }).click();
  await page.getByRole("dialog", { name: "New deployment" }).getByRole("button", { name: "Cancel" }).click();
  // The page of a version knows which one is meant.
  await goto("/p/serving/models/line/versions/1");
  await page.getByRole("button", { name: "Deploy…" }).click();
  let dialog = page.getByRole("dialog", { name: "New deployment" });
  await dialog.getByLabel("Name").fill(name);
  assert.equal(await dialog.getByLabel("Model").inputValue(), "line");
  await until(async () => (await dialog.getByLabel("Version").inputValue()) === "models:/line/1");
  await dialog.getByRole("button", { name: "Deploy" }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await until(async () => (await versions(name)).primary.state === "ready");

  await page.getByRole("button", { name: "Start canary…" }).click();
  dialog = page.getByRole("dialog", { name: "Start a canary" });
  await until(async () => (await dialog.getByLabel("Version").inputValue()) === "models:/line/2");
  await dialog.getByLabel("Version").selectOption("models:/line/2");
  await dialog.getByLabel("Percent").fill("40");
  await dialog.getByRole("button", { name: "Start canary" }).click();
  await traffic("primary line v1 60 %, canary line v2 40 %");
  await until(async () => (await versions(name)).canary.state === "ready");
  await page.getByRole("table", { name: "Canary beside the primary" }).waitFor();

  const pick = async (item) => {
    await page.getByRole("button", { name: `Actions for ${name}` }).click();
    await page.getByRole("menuitem", { name: item }).click();
  };
  await pick("Change the canary's part…");
  dialog = page.getByRole("dialog", { name: "Change the canary's part" });
  await dialog.getByLabel("Percent").fill("70");
  await dialog.getByRole("button", { name: "Change" }).click();
  await traffic("primary line v1 30 %, canary line v2 70 %");

  await pick("Start shadow…");
  dialog = page.getByRole("dialog", { name: "Start a shadow" });
  await dialog.getByLabel("Version").selectOption("models:/line/1");
  await dialog.getByRole("button", { name: "Start shadow" }).click();
  await page.getByRole("heading", { name: "Shadow beside the answers given" }).waitFor();

  await pick("End shadow…");
  await page.getByRole("dialog", { name: "End the shadow?" }).getByRole("button", { name: "End shadow" }).click();
  await until(async () => (await versions(name)).shadow === undefined);

  await page.getByRole("button", { name: "Promote…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
  await traffic("primary line v2 100 %");
  assert.deepEqual([(await versions(name)).primary.version, (await versions(name)).previous.version], [2, 1]);
  await page.getByRole("button", { name: "Roll back…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
  await traffic("primary line v1 100 %");

  const alias = `best-${name}`;
  await ask("POST", `/p/serving${mlflow}/registered-models/alias`, { name: "line", alias, version: "2" });
  await page.reload();
  await pick("Follow an alias…");
  dialog = page.getByRole("dialog", { name: "Follow an alias" });
  await dialog.getByLabel("Alias of line").selectOption(alias);
  await dialog.getByText("It names version 2, which becomes the primary; version 1 answers until it is ready.").waitFor();
  await dialog.getByRole("button", { name: "Follow alias" }).click();
  await traffic("primary line v2 100 %");
  await until(async () => (await versions(name)).primary.alias === alias);
  await page.getByTitle(`Follows the alias ${alias}`).first().waitFor();
  await ask("DELETE", `/p/serving${mlflow}/registered-models/alias`, { name: "line", alias });

  const history = page.getByRole("listitem");
  for (const line of [`The alias ${alias} is followed, now with line v2`, "Rolled back to line v1", "line v2 was promoted, in place of v1", "The shadow line v1 was ended", "line v1 became the shadow", "The canary's part became 70 %", "line v2 became the canary, with 40 %", "Created with line v1"]) {
    await history.getByText(line, { exact: true }).first().waitFor();
  }

  await goto("/p/serving/models/line/versions/2");
  await page.getByRole("complementary").getByRole("link", { name, exact: true }).click();
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await page.getByRole("link", { name: "Explore" }).click();
  await page.getByRole("region", { name: "Lineage graph" }).getByRole("link", { name: `deployment ${name}` }).waitFor();

  await goto(`${pages}/${name}`);
  await pick("Delete…");
  dialog = page.getByRole("dialog");
  await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
  await dialog.getByRole("button", { name: "Delete deployment" }).click();
  await page.getByRole("heading", { level: 1, name: "Deployments" }).waitFor();
  await rest();
  assert.equal(await page.getByRole("link", { name, exact: true }).count(), 0);
  await close({ but: /404/ });
});
