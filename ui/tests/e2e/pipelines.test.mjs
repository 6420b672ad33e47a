// Pipelines and approvals as people use them, in a project of their own: its runs count nowhere else.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ask, base, serverMs, until } from "./api.mjs";
import { findViolations } from "./axe.mjs";
import { launch, openPage } from "./browser.mjs";

const project = "pipes";
const api = `/p/${project}/api/v1`;
const folder = mkdtempSync(join(tmpdir(), "lathe-pipelines-"));
const isThere = join(folder, "ready");
const go = join(folder, "go");

const churn = `name: churn
on: { schedule: [{ cron: "0 3 * * 1", tz: Europe/Berlin }] }
params:
  trials: { type: int, default: 3, min: 1, max: 10 }
  model: { type: choice, choices: [lgbm, xgb], default: lgbm }
  reviewer: { type: str, default: ada }
jobs:
  validate:
    cache: true
    outputs: { report: out.txt }
    run: |
      echo checked \${{ params.trials }} > out.txt
      echo "rows=42" >> "$LATHE_VALUES"
      echo all is well
  train:
    needs: [validate]
    matrix: { seed: [1, 2] }
    run: printf 'seed %s\\nloss \\033[32m0.5\\033[0m\\n' \${{ matrix.seed }}
  approve: { needs: [train], approval: { min: 1, timeout: 3d } }
  publish: { needs: [approve], run: echo published }
`;
const report = `name: report
jobs:
  load: { run: echo loaded }
  write: { needs: [load], run: "echo writing; test -e ${isThere}" }
  mail: { needs: [write], run: echo mailed }
`;
const live = `name: live
jobs:
  tick: { run: "echo first line; while [ ! -e ${go} ]; do sleep 0.1; done; echo last line" }
`;

/** Its answer has no body. */
const makeProject = async (name) => assert.equal((await fetch(`${base}/api/v1/projects`, { method: "POST", body: JSON.stringify({ name }), headers: { "content-type": "application/json" } })).status, 201);
const push = (file) => ask("POST", `${api}/pipelines`, { file });
const start = async (name, params = {}) => (await ask("POST", `${api}/pipelines/${name}/runs`, { params })).id;
const get = (id) => ask("GET", `${api}/pipeline-runs/${id}`);

/** Until a run has come so far; says where it is if it never does. */
async function reaches(id, isSo) {
  let detail;
  const look = async () => isSo((detail = await get(id)));
  await until(look).catch((error) => {
    throw new Error(`pipeline run ${id} did not come so far: ${JSON.stringify(detail)}`, { cause: error });
  });
  return detail;
}
/** What a page shows once the server has done it. */
const shown = (locator) => locator.waitFor({ timeout: serverMs });
const isWaiting = ({ jobs }) => jobs.some(({ status }) => status === "awaiting_approval");
const isOver = ({ run }) => ["succeeded", "failed", "canceled"].includes(run.status);

let browser;
let first;
let failed;
before(async () => {
  browser = await launch();
  await makeProject(project);
  for (const file of [churn, report, live]) await push(file);
  first = await start("churn");
  failed = await start("report");
  await reaches(first, isWaiting);
  await reaches(failed, isOver);
});
after(async () => {
  rmSync(folder, { recursive: true });
  await browser?.close();
});

test("a project without pipelines says how to make the first", async () => {
  await makeProject("pipeless");
  const { page, goto, close } = await openPage(browser, base);
  await goto("/p/pipeless/pipelines");
  await page.getByRole("heading", { name: "No pipelines yet" }).waitFor();
  await page.getByText("lathe pipeline push").waitFor();
  await goto("/p/pipeless/approvals");
  await page.getByRole("heading", { name: "Nothing waits for anybody" }).waitFor();
  await close();
});

test("the list shows each pipeline's last run and what starts it, and one is paused and resumed", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/${project}/home`);
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Pipelines" }).click();
  await rest();
  assert.match(await page.getByRole("row", { name: /^report/ }).innerText(), /#1\s+Failed\s+local, by hand/);
  const row = page.getByRole("row", { name: /^churn/ });
  assert.match(await row.innerText(), /#1\s+Running[\s\S]*schedule 0 3 \* \* 1 \(Europe\/Berlin\)/);
  await row.getByRole("button", { name: "Pause churn" }).click();
  await row.getByText("paused").waitFor();
  assert.equal((await ask("GET", `${api}/pipelines/churn`)).pipeline.is_paused, true);
  await row.getByRole("button", { name: "Resume churn" }).click();
  await row.getByRole("button", { name: "Pause churn" }).waitFor();
  await row.getByRole("link", { name: "churn", exact: true }).click();
  await rest();
  await page.getByRole("link", { name: "Graph" }).click();
  await page.getByRole("region", { name: "Graph of churn" }).getByRole("link", { name: /train.*command, 2 cells/ }).waitFor();
  await close();
});

test("the graph of a run leads from job to job, with log, values and outputs, and the address keeps it", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/${project}/pipelines/churn`);
  await page.getByRole("row").nth(1).getByRole("link", { name: "#1" }).click();
  await rest();
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "churn #1\nRunning");
  const graph = page.getByRole("region", { name: "Graph of churn #1" });
  assert.equal(await graph.getByRole("link").count(), 5);
  await graph.getByRole("link", { name: /^validate/ }).click();
  const job = page.getByRole("region", { name: "Job validate", exact: true });
  await job.getByText("all is well").waitFor();
  assert.match(await job.innerText(), /Not taken from the cache: [\s\S]*Values\s+rows\s+42[\s\S]*Outputs\s+report\s+1 file, 10 B/);
  await graph.getByRole("link", { name: /train \(seed 2\)/ }).click();
  await page.getByRole("log").getByText("seed 2").waitFor();
  await page.getByLabel("Search the log").fill("loss");
  await page.getByText("1 of 1 line").waitFor();
  const { searchParams } = new URL(page.url());
  assert.deepEqual([searchParams.get("job"), searchParams.get("find")], ["train[1]", "loss"]);
  await page.reload();
  await rest();
  await page.getByText("1 of 1 line").waitFor();
  await page.getByLabel("Cell of train").selectOption({ label: "seed 1: Succeeded" });
  await page.waitForURL(/job=train%5B0%5D/);
  await page.goBack();
  await page.waitForURL(/job=train%5B1%5D/);
  await page.getByText("Timeline", { exact: true }).click();
  const rows = page.getByRole("group", { name: "Jobs of churn #1 over time" }).getByRole("link");
  await rows.nth(4).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("draw"), "timeline");

  // The job's run in the tracker, and back from there.
  await page.getByRole("link", { name: "Its run: metrics, params, files" }).click();
  await page.getByRole("link", { name: "train[1] of churn #1" }).click();
  await rest();
  assert.equal(new URL(page.url()).pathname, `/p/${project}/pipeline-runs/${first}`);
  assert.equal(new URL(page.url()).searchParams.get("job"), "train[1]");
  await close();
});

test("the log of a job that runs grows as it is written, and the page ends when the run does", async () => {
  const { page, goto, close } = await openPage(browser, base);
  const id = await start("live");
  await reaches(id, ({ jobs }) => jobs[0].status === "running");
  await goto(`/p/${project}/pipeline-runs/${id}`);
  await shown(page.getByRole("log").getByText("first line"));
  await page.getByText("Live", { exact: true }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Follow" }).getAttribute("aria-pressed"), "true");
  writeFileSync(go, "");
  await shown(page.getByRole("log").getByText("last line"));
  await shown(page.getByRole("heading", { level: 1 }).getByText("Succeeded"));
  assert.equal(await page.getByText("Live", { exact: true }).count(), 0);
  await close();
});

test("a run that goes on is cancelled, after a question", async () => {
  const { page, goto, close } = await openPage(browser, base);
  rmSync(go);
  const id = await start("live");
  await reaches(id, ({ jobs }) => jobs[0].status === "running");
  await goto(`/p/${project}/pipeline-runs/${id}`);
  await page.getByRole("button", { name: "Cancel…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the run" }).click();
  await shown(page.getByRole("heading", { level: 1 }).getByText("Cancelled"));
  assert.equal((await get(id)).run.status, "canceled");
  await close();
});

test("a failed run says why, and goes on from what failed", async () => {
  const { page, goto, close } = await openPage(browser, base);
  await goto(`/p/${project}/pipeline-runs/${failed}`);
  const job = page.getByRole("region", { name: "Job write", exact: true });
  await job.getByText("exit code 1").first().waitFor();
  await job.getByText("writing", { exact: true }).waitFor();
  writeFileSync(isThere, "");
  await page.getByRole("button", { name: "Retry from failed" }).click();
  await shown(page.getByRole("heading", { level: 1 }).getByText("Succeeded"));
  const { jobs } = await get(failed);
  assert.deepEqual(jobs.map(({ status, attempt }) => [status, attempt]), [["succeeded", 1], ["succeeded", 2], ["succeeded", 1]]);
  await goto(`/p/${project}/pipeline-runs/${failed}?job=write`);
  await job.getByRole("link", { name: "Attempt 1" }).click();
  assert.equal(new URL(page.url()).searchParams.get("attempt"), "1");
  await job.getByRole("row", { name: /Attempt 1/ }).getByText("Failed").waitFor();
  await page.getByRole("link", { name: "Run again…" }).click();
  await page.getByRole("dialog", { name: "Run report" }).getByText("The parameters are those of #1").waitFor();
  await close();
});

test("the form asks for parameters as the file declares them, and the run says why it was cached", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/${project}/pipelines/churn`);
  await page.getByRole("button", { name: "Run…" }).click();
  const dialog = page.getByRole("dialog", { name: "Run churn" });
  assert.equal(new URL(page.url()).searchParams.get("start"), "1");
  await dialog.getByLabel("trials").fill("11");
  await dialog.getByText("It is at most 10.").waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Run", exact: true }).isDisabled(), true);
  await dialog.getByLabel("trials").fill("3");
  await dialog.getByLabel("reviewer").fill("grace; rm -rf $HOME");
  await dialog.getByLabel("model").selectOption("xgb");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForURL(/pipeline-runs/);
  await rest();
  await page.goBack();
  await page.waitForURL(/\/pipelines\/churn$/);
  assert.equal(await dialog.count(), 0);
  await page.goForward();
  await page.waitForURL(/pipeline-runs/);
  await rest();
  const id = new URL(page.url()).pathname.split("/").at(-1);
  await reaches(id, isWaiting);
  const { run, jobs } = await get(id);
  assert.deepEqual(run.params, { trials: 3, model: "xgb", reviewer: "grace; rm -rf $HOME" });
  assert.equal(jobs[0].cached_from, `${first}/validate`);
  await page.getByRole("region", { name: "Graph of churn #2" }).getByRole("link", { name: /^validate\s*From cache/ }).click();
  await page.getByText("Taken from the cache.").waitFor();
  await page.getByRole("link", { name: "Where it was done" }).click();
  await page.waitForURL(new RegExp(`${first}\\?job=validate`));

  const other = await start("churn", { trials: 4 });
  await reaches(other, isWaiting);
  await goto(`/p/${project}/pipeline-runs/${other}?job=validate`);
  await page.getByText(/Not taken from the cache: .*trials.*3 to 4/).waitFor();
  await close();
});

test("what waits for people is counted, approved with a comment, and rejected", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  const before = (await ask("GET", `${api}/approvals`)).approvals.length;
  assert.equal(before, 3);
  await goto(`/p/${project}/home`);
  await page.getByRole("heading", { name: "Approvals waiting for you" }).waitFor();
  await page.getByRole("link", { name: "Approvals 3" }).waitFor();
  await page.getByRole("link", { name: "All approvals" }).click();
  await rest();
  await page.getByRole("button", { name: "Approve approve of churn #1" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Comment").fill("The numbers hold");
  await dialog.getByRole("button", { name: "Approve", exact: true }).click();
  await page.getByRole("row", { name: /churn #1/ }).waitFor({ state: "detached" });
  assert.equal((await reaches(first, isOver)).run.status, "succeeded");
  await page.getByRole("region", { name: "Decided lately" }).getByText("approved, “The numbers hold”").waitFor();
  await goto(`/p/${project}/pipeline-runs/${first}?job=approve`);
  assert.match(await page.getByRole("row", { name: /approved/ }).innerText(), /local\s+approved\s+The numbers hold/);

  const { approvals } = await ask("GET", `${api}/approvals`);
  const second = approvals.find(({ number }) => number === 2).pipeline_run_id;
  await goto(`/p/${project}/pipeline-runs/${second}`);
  await page.getByRole("region", { name: "Approval of approve" }).getByRole("button", { name: /^Reject/ }).click();
  await dialog.getByRole("button", { name: "Reject", exact: true }).click();
  await shown(page.getByRole("heading", { level: 1 }).getByText("Failed"));
  await page.getByText("rejected by local").first().waitFor();
  await page.getByRole("link", { name: "Approvals 1" }).waitFor();
  await close();
});

test("beyond the first few, what an approval is about is read when it is opened", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  // One that waits, five times.
  await page.route(/\/api\/v1\/approvals$/, async (route) => {
    const { approvals } = await (await route.fetch()).json();
    await route.fulfill({ json: { approvals: [1, 2, 3, 4, 5].map((time) => ({ ...approvals[0], job: `approve-${time}` })) } });
  });
  await goto(`/p/${project}/approvals`);
  const rows = page.locator("tr.approval-context");
  const parameters = rows.getByText("Parameters", { exact: true });
  await parameters.nth(2).waitFor();
  assert.deepEqual([await rows.count(), await parameters.count()], [5, 3]);
  await rows.nth(4).getByText("What it is about").click();
  await rows.nth(4).getByText("Parameters", { exact: true }).waitFor();
  await rest();
  assert.equal(await parameters.count(), 4);
  await close();
});

test("a run that a data commit started, the data it read and the commit it made lead to each other", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  const repository = `${api}/repos/readings`;
  const put = (branch, path, body) => fetch(`${base}${repository}/refs/${branch}/objects/${path}`, { method: "PUT", body });
  await ask("POST", `${api}/repos`, { name: "readings" });
  await ask("POST", `${repository}/branches`, { name: "made", from: "main" });
  await push(`name: on-data
on: { data_commit: { repo: readings, branch: main } }
jobs:
  sum:
    inputs: { data: "data://readings@\${{ trigger.commit }}/" }
    run: |
      cat "$IN_DATA"/a.csv
      to() { curl --silent --show-error --fail --header "Authorization: Bearer $MLFLOW_TRACKING_TOKEN" "$@"; }
      to --request PUT --data made "$MLFLOW_TRACKING_URI/api/v1/repos/readings/refs/made/objects/made.txt"
      to --json '{"message": "made by a job"}' "$MLFLOW_TRACKING_URI/api/v1/repos/readings/branches/made/commits"
`);
  await put("main", "a.csv", "x\n1\n");
  const { id: commit } = await ask("POST", `${repository}/branches/main/commits`, { message: "Readings" });
  const started = async () => (await ask("GET", `${api}/pipeline-runs?pipeline=on-data`)).runs[0]?.id;
  const id = await until(started);
  assert.equal((await reaches(id, isOver)).run.status, "succeeded");

  await goto(`/p/${project}/pipeline-runs/${id}`);
  await page.getByRole("link", { name: "commit on readings@main" }).waitFor();
  await page.getByRole("complementary", { name: "About job sum" }).getByRole("link", { name: `readings@${commit.slice(0, 8)}` }).click();
  await rest();
  assert.ok(page.url().endsWith(`/data/readings/commits/${commit}`));
  const { commits } = await ask("GET", `${repository}/refs/made/log`);
  await goto(`/p/${project}/data/readings/commits/${commits[0].id}`);
  await page.getByRole("heading", { name: "Made by", exact: true }).waitFor();
  await page.getByRole("list").getByRole("link", { name: "on-data #1", exact: true }).waitFor();
  await page.getByRole("list").getByRole("link", { name: "sum", exact: true }).click();
  await page.waitForURL(new RegExp(`pipeline-runs/${id}\\?job=sum`));
  await close();
});

test("people approve what others started, and who may not sees why", async () => {
  const login = process.env.LATHE_LOGIN_URL;
  const signIn = async (username, password) => {
    const opened = await openPage(browser, login);
    await opened.goto("/p/default/approvals");
    await opened.page.getByLabel("User name").fill(username);
    await opened.page.getByLabel("Password").fill(password);
    await opened.page.getByRole("button", { name: "Sign in" }).click();
    await opened.page.getByRole("heading", { name: "Approvals" }).waitFor();
    await opened.rest();
    return opened;
  };
  const admin = await signIn("admin", process.env.LATHE_ADMIN_PASSWORD);
  const send = (method, path, body) =>
    admin.page.evaluate(
      async ([how, where, what]) => (await fetch(where, { method: how, body: JSON.stringify(what), headers: { "content-type": "application/json" } })).status,
      [method, path, body],
    );
  for (const [username, role] of [["mary", "maintainer"], ["vic", "viewer"]]) {
    assert.equal(await send("POST", "/api/v1/users", { username, password: `${username} of Lathe` }), 201);
    assert.equal(await send("PUT", `/api/v1/projects/default/members/${username}`, { role }), 204);
  }
  assert.equal(await send("POST", "/api/v1/pipelines", { file: "name: ask\njobs:\n  agree: { approval: { min: 1, timeout: 1h } }\n" }), 201);

  const mary = await signIn("mary", "mary of Lathe");
  await mary.goto("/p/default/pipelines/ask?start=1");
  await mary.page.getByRole("dialog").getByRole("button", { name: "Run", exact: true }).click();
  const approval = mary.page.getByRole("region", { name: "Approval of agree" });
  await approval.getByText("You started this run; another person must approve it.").waitFor();
  assert.equal(await approval.getByRole("button", { name: /^Approve/ }).count(), 0);
  assert.equal(await approval.getByRole("button", { name: /^Reject/ }).count(), 1);

  const vic = await signIn("vic", "vic of Lathe");
  await vic.page.getByRole("row", { name: /ask #1/ }).getByText("Maintainers of the project decide.").waitFor();
  assert.equal(await vic.page.getByRole("button", { name: /^(Approve|Reject)/ }).count(), 0);
  await vic.goto("/p/default/pipelines/ask");
  assert.equal(await vic.page.getByRole("button", { name: "Run…" }).count(), 0);

  await admin.goto("/p/default/approvals");
  await admin.page.getByRole("button", { name: "Approve agree of ask #1" }).click();
  await admin.page.getByRole("dialog").getByRole("button", { name: "Approve", exact: true }).click();
  await admin.page.getByRole("heading", { name: "Nothing waits for anybody" }).waitFor();
  await shown(mary.page.getByRole("heading", { level: 1 }).getByText("Succeeded"));
  for (const each of [admin, mary, vic]) await each.close({ but: /401/ });
});

test("the keys and the palette lead to pipelines, and arrow keys along the graph", async () => {
  const { page, goto, rest, close } = await openPage(browser, base);
  await goto(`/p/${project}/home`);
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await page.waitForURL(/\/pipelines$/);
  await rest();
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Find anything" }).getByRole("combobox").fill("approv");
  await page.getByRole("option", { name: "Approvals" }).click();
  await page.waitForURL(/\/approvals$/);
  await goto(`/p/${project}/pipeline-runs/${first}`);
  const graph = page.getByRole("region", { name: "Graph of churn #1" });
  await graph.getByRole("link", { name: /^validate/ }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.waitForURL(/job=train%5B0%5D/);
  await goto(`/p/${project}/pipeline-runs/0123456789abcdef0123456789abcdef`);
  await page.getByRole("heading", { name: "There is no such pipeline run" }).waitFor();
  await close({ but: /404/ });
});

for (const colorScheme of ["light", "dark"]) {
  test(`everybody can use the pages of pipelines (${colorScheme})`, async (context) => {
    const { page, goto, close } = await openPage(browser, base, { colorScheme });
    const { runs } = await ask("GET", `${api}/pipeline-runs?pipeline=churn&status=running`);
    const screens = {
      pipelines: "pipelines", runs: "pipelines/churn", form: "pipelines/churn?start=1", "graph of the file": "pipelines/churn?tab=graph", file: "pipelines/churn?tab=file",
      "a run that waits": `pipeline-runs/${runs[0].id}`, "a cached job": `pipeline-runs/${runs[0].id}?job=validate`, "a job that was tried again": `pipeline-runs/${failed}?job=write&draw=timeline`, approvals: "approvals",
    };
    for (const [name, path] of Object.entries(screens)) {
      await context.test(name, async () => {
        await goto(`/p/${project}/${path}`);
        assert.deepEqual(await findViolations(page), []);
      });
    }
    await close();
  });
}
