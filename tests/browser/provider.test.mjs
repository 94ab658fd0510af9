// Somebody signs in at an OpenID provider and comes back. Run by tests/it/people/provider.rs.
//
// KATTILA_TEST_URL    a manager whose provider signs olga in without asking

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Console, artifact, healthy } from "./console.mjs";

let desk;

before(async () => {
  desk = await Console.open(process.env.KATTILA_TEST_URL);
});

after(() => desk?.close());

test("the button leads to the provider and back to the page that was wanted", async () => {
  const page = await desk.visit("/alarms");
  assert.equal(await page.read("location.pathname + location.search"), "/login?next=%2Falarms");
  await page.screenshot(artifact("login-provider-1440x900"));
  await page.read(`document.querySelector("a[href^='/login/oidc']").click()`);
  // The session's cookie is strict: only because a page of ours goes on does the browser send it.
  await page.until(`location.pathname === "/alarms"`, "the way back");
  assert.match(await page.read("document.body.innerText"), /olga/);
  assert.doesNotMatch(await page.read("document.cookie"), /kattila/);
  healthy(page, "the sign-in");
});
