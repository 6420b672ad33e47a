// axe-core over every screen in both themes: nothing that it calls serious or critical, and nothing that goes wrong on the way.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { base } from "./api.mjs";
import { findViolations } from "./axe.mjs";
import { launch, openPage } from "./browser.mjs";
import { findScreens } from "./screens.mjs";

let browser;
let screens;
before(async () => {
  browser = await launch();
  screens = await findScreens();
});
after(() => browser?.close());

for (const colorScheme of ["light", "dark"]) {
  test(`every screen can be used by everybody (${colorScheme})`, async (context) => {
    const { page, goto, close } = await openPage(browser, base, { colorScheme });
    for (const [name, path] of Object.entries(screens)) {
      await context.test(name, async () => {
        await goto(path);
        assert.deepEqual(await findViolations(page), []);
      });
    }
    await context.test("files that are marked, and the dialog that deletes them", async () => {
      await goto(screens.repository);
      await page.getByLabel("Mark 2013").check();
      assert.deepEqual(await findViolations(page), []);
      await page.getByRole("button", { name: "Delete…" }).click();
      await page.getByRole("dialog").waitFor();
      assert.deepEqual(await findViolations(page), []);
    });
    await context.test("the palette", async () => {
      await page.keyboard.press("Control+k");
      await page.getByRole("dialog", { name: "Find anything" }).waitFor();
      assert.deepEqual(await findViolations(page), []);
    });
    await context.test("the dialog that moves an alias", async () => {
      await goto(screens.version);
      await page.getByRole("button", { name: "Set alias" }).click();
      await page.getByRole("dialog").waitFor();
      assert.deepEqual(await findViolations(page), []);
    });
    await close();

    const login = await openPage(browser, process.env.LATHE_LOGIN_URL, { colorScheme });
    await context.test("the sign-in form", async () => {
      await login.goto("/p/default/tokens");
      assert.deepEqual(await findViolations(login.page), []);
    });
    await context.test("the form for a token", async () => {
      await login.page.getByLabel("User name").fill("admin");
      await login.page.getByLabel("Password").fill(process.env.LATHE_ADMIN_PASSWORD);
      await login.page.getByRole("button", { name: "Sign in" }).click();
      await login.page.getByRole("button", { name: "New token" }).click();
      await login.page.getByRole("dialog").waitFor();
      await login.rest();
      assert.deepEqual(await findViolations(login.page), []);
    });
    await login.close({ but: /401/ });
  });
}
