// Signing in, on a server that asks for it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openPage } from "./browser.mjs";

const base = process.env.LATHE_LOGIN_URL;
const password = process.env.LATHE_ADMIN_PASSWORD;
let browser;
before(async () => {
  assert.ok(base && password, "LATHE_LOGIN_URL and LATHE_ADMIN_PASSWORD name the server with sign-in");
  browser = await launch();
});
after(() => browser?.close());

const api = async (method, path, body, cookie) => {
  const response = await fetch(base + path, { method, headers: { "content-type": "application/json", origin: base, ...(cookie ? { cookie } : {}) }, body: JSON.stringify(body) });
  assert.ok(response.ok, `${method} ${path} answered ${response.status}: ${await response.clone().text()}`);
  return response;
};

const administrator = async () =>
  (await api("POST", "/api/v1/login", { username: "admin", password })).headers.getSetCookie().map((each) => each.split(";")[0]).join("; ");

/** Makes a member of the project; answers how they sign in. */
async function invite(cookie, project, role = "viewer") {
  const username = `${role}-${Date.now().toString(36)}`;
  const made = await (await api("POST", "/api/v1/users", { username }, cookie)).json();
  await api("PUT", `/api/v1/projects/${project}/members/${username}`, { role }, cookie);
  return { username, password: made.password };
}

async function signIn(page, person) {
  await page.getByLabel("User name").fill(person.username);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("a wrong password is refused, the right one opens the page that was asked for, a token is made and revoked", async () => {
  const { page, goto, rest, problems, close } = await openPage(browser, base);
  await goto("/p/default/tokens");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();

  await page.getByLabel("User name").fill("admin");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  assert.match(await page.getByRole("alert").innerText(), /password/);
  // The browser notes each refusal; that they came is what this test wants.
  const refusals = problems.splice(0);
  assert.ok(refusals.length > 0 && refusals.every((problem) => problem.includes("401")), refusals.join("\n"));

  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Access tokens" }).waitFor();
  await rest();
  assert.equal(new URL(page.url()).pathname, "/p/default/tokens");

  await page.getByRole("button", { name: "New token" }).click();
  await page.getByLabel("Name").fill("laptop");
  await page.getByRole("button", { name: "Create token" }).click();
  const token = (await page.getByLabel("Token", { exact: true }).innerText()).trim();
  await page.getByText(`export MLFLOW_TRACKING_TOKEN=${token}`).waitFor();
  const whoami = () => fetch(`${base}/api/v1/whoami`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await (await whoami()).json()).actor.name, "admin");
  await page.getByRole("button", { name: "I have copied it" }).click();
  assert.equal(await page.getByText(token).count(), 0);

  await page.getByRole("button", { name: "Revoke laptop" }).click();
  await page.getByRole("button", { name: "Revoke token" }).click();
  await page.getByText("You have no tokens").waitFor();
  assert.equal((await whoami()).status, 401);

  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.ok(problems.splice(0).every((problem) => problem.includes("401")));
  await close();
});

test("who has a role elsewhere only is led there", async () => {
  const cookie = await administrator();
  const project = `team-${Date.now().toString(36)}`;
  await api("POST", "/api/v1/projects", { name: project }, cookie);
  const viewer = await invite(cookie, project);
  const { page, goto, close } = await openPage(browser, base);
  await goto("/");
  await signIn(page, viewer);
  await page.getByRole("heading", { name: "You have no role in project default" }).waitFor();
  await page.getByRole("link", { name: `Open project ${project}` }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
  await close({ but: /401/ });
});

test("a viewer sees everything, and nothing is offered that the server would refuse", async () => {
  const cookie = await administrator();
  const viewer = await invite(cookie, "default");
  await api("POST", "/api/v1/repos", { name: `data-of-${viewer.username}` }, cookie);

  const { page, goto, rest, close } = await openPage(browser, base);
  await goto("/p/default/home");
  await signIn(page, viewer);
  await page.getByRole("heading", { name: "Home" }).waitFor();
  await rest();
  const pages = { experiments: "Experiments", models: "Models", deployments: "Deployments", data: "Data", [`data/data-of-${viewer.username}`]: `data-of-${viewer.username}`, pipelines: "Pipelines", approvals: "Approvals", audit: "Audit" };
  for (const [path, heading] of Object.entries(pages)) {
    await goto(`/p/default/${path}`);
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    assert.deepEqual(await page.locator(".main").getByRole("button", { name: /^(New|Upload|Commit|Run…|Pause|Delete|Edit|Set alias|Deploy)/ }).allInnerTexts(), [], path);
  }
  await close({ but: /401/ });
});

test("a contributor is not offered what takes a maintainer: to delete, and to start what moves an alias", async () => {
  const cookie = await administrator();
  const contributor = await invite(cookie, "default", "contributor");
  const name = `work-of-${contributor.username}`;
  await api("POST", "/api/2.0/mlflow/experiments/create", { name }, cookie);
  const { page, goto, close } = await openPage(browser, base);
  await goto("/p/default/experiments");
  await signIn(page, contributor);
  await page.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: "Rename…" }).waitFor();
  assert.deepEqual(await page.getByRole("menuitem").allInnerTexts(), ["Rename…"]);

  await api("POST", "/api/v1/pipelines", { file: `name: ${name}\njobs: { go: { set_alias: { model: m, alias: champion, version: "1" } } }\n` }, cookie);
  await goto(`/p/default/pipelines/${name}`);
  const run = page.getByRole("button", { name: "Run…" });
  assert.match(await run.getAttribute("title"), /Needs a maintainer/);
  assert.ok(await run.isDisabled());
  await close({ but: /401/ });
});
