// The first admin, a viewer, and what each is shown. Run by tests/it/browser.rs.
//
// KATTILA_TEST_URL    a manager without users, closed to strangers, with one host
// KATTILA_TEST_CODE   its setup code

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Console, artifact, healthy } from "./console.mjs";

const { KATTILA_TEST_URL, KATTILA_TEST_CODE: CODE } = process.env;
const OLGA = "stone bridge over water";
const KIM = "three green bicycles";

let desk;
let url;
let kimsCode;

before(async () => {
  desk = await Console.open(KATTILA_TEST_URL);
  url = desk.url;
});

after(() => desk?.close());

const text = (page) => page.read("document.body.innerText");

// Types into fields by their ids, and sends the form of the last one.
async function fill(page, fields, what) {
  for (const [id, value] of Object.entries(fields)) {
    await page.read(`document.getElementById(${JSON.stringify(id)}).focus()`);
    await page.type(value);
  }
  await page.loading(() => page.press("Enter"), what);
}

async function signIn(page, name, password) {
  await page.open(`${url}/login`);
  await fill(page, { name, password }, "the sign-in to be answered");
}

test("the first admin is made with the printed code", async () => {
  const page = await desk.visit("/login");
  assert.match(await text(page), /There are no users yet/);
  await page.open(`${url}/setup`);
  await page.until(`document.activeElement?.id === "name"`, "the name's field to have the focus");
  await page.screenshot(artifact("setup-1440x900"));
  await fill(page, { name: "olga", code: CODE, "new-password": OLGA, again: OLGA }, "the setup");
  assert.equal(await page.read("location.pathname"), "/map");
  assert.match(await text(page), /olga/);
  healthy(page, "the setup");
});

test("an admin adds a viewer, who chooses a password", async () => {
  const page = await desk.visit("/login");
  await signIn(page, "olga", "a wrong password");
  assert.match(await page.read(`document.getElementById("failed").innerText`), /not accepted/);
  assert.equal(await page.read(`document.getElementById("password").value`), "");
  page.complaints.length = 0;
  await page.read(`document.getElementById("name").value = ""`);
  await signIn(page, "olga", OLGA);
  await page.open(`${url}/users`);
  await page.read(`document.querySelector("form[action='/users'] input[name=name]").focus()`);
  await page.type("kim");
  await page.loading(() => page.press("Enter"), "the user to be added");
  kimsCode = await page.read(`document.getElementById("setup-code").innerText`);
  await page.screenshot(artifact("users-1440x900"));
  healthy(page, "the users");

  const kim = await desk.visit("/setup?name=kim");
  assert.equal(await kim.read(`document.getElementById("name").value`), "kim");
  await fill(kim, { code: kimsCode, "new-password": KIM, again: KIM }, "the setup");
  assert.equal(await kim.read("location.pathname"), "/map");
});

test("a viewer sees no form of an admin's and is refused what they hold", async () => {
  const page = await desk.visit("/login");
  await signIn(page, "kim", KIM);
  await page.open(`${url}/agents`);
  await page.open(url + (await page.read(`document.querySelector("tbody a[href^='/agents/']").getAttribute("href")`)));
  const agent = await page.read("location.pathname");
  const forms = `[...document.forms].filter((form) => form.method === "post").map((form) => new URL(form.action).pathname).filter((path) => path !== "/logout").join()`;
  assert.equal(await page.read(forms), "", "an agent's page");
  await page.open(`${url}/settings`);
  assert.equal(await page.read(forms), "", "the settings");
  assert.equal(await page.read(`document.querySelector("a[href='/users']")`), null);
  const post = (path) => page.read(`fetch(${JSON.stringify(path)}, { method: "POST", headers: { "X-Kattila-Form": document.body.dataset.formToken, "Content-Type": "application/json" }, body: "{}" }).then((answer) => answer.status)`);
  for (const path of [`${agent}/reset`, "/users", "/users/olga/disable", "/api/v1/users/olga/reset", "/status/admin/reset"]) {
    assert.equal(await post(path), 403, path);
  }
  page.complaints.length = 0;
  await page.open(`${url}/account`);
  assert.match(await text(page), /role viewer/);
  await page.screenshot(artifact("account-1440x900"));
  healthy(page, "the account");
});

test("without scripts, a changed password ends the other session", async () => {
  const here = await desk.visit("/login", { scripts: false });
  await signIn(here, "kim", KIM);
  const there = await desk.visit("/login");
  await signIn(there, "kim", KIM);
  await here.open(`${url}/account`);
  await fill(here, { old: KIM, "new-password": "copper kettle", again: "copper kettle" }, "the change");
  assert.match(await text(here), /Your password is changed/);
  await there.open(`${url}/account`);
  assert.equal(await there.read("location.pathname"), "/login");
  healthy(here, "the change");
});
