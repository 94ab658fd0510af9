// Signing in and acting through the pages, with and without scripts. Run by tests/it/browser.rs.
//
// KATTILA_TEST_URL        a manager with a demo fleet with alarms, closed to strangers, which has
//                         refused a report of an agent named f0f0f0...
// KATTILA_TEST_TOKEN      an admin's token
// KATTILA_TEST_OPERATOR   a token of the operator olga
// KATTILA_TEST_SECRET     the fleet's key, which no page may show

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Console, DRAWN, LIVE, artifact, healthy } from "./console.mjs";

const { KATTILA_TEST_URL, KATTILA_TEST_TOKEN: ADMIN, KATTILA_TEST_OPERATOR: OPERATOR, KATTILA_TEST_SECRET: SECRET } = process.env;

let desk;
let url;

before(async () => {
  desk = await Console.open(KATTILA_TEST_URL);
  url = desk.url;
});

after(() => desk?.close());

const text = (page) => page.read("document.body.innerText");
const openAlarms = `document.querySelectorAll("#alarm-list li:not(.quiet) button[aria-label^=Ack]").length`;

// Presses Enter on what an expression finds, and waits for the page it leads to.
async function follow(page, element, what) {
  await page.read(`${element}.focus()`);
  await page.loading(() => page.press("Enter"), what);
}

test("a stranger is led to the sign-in page and back to what was wanted", async () => {
  const page = await desk.visit("/alarms");
  assert.equal(await page.read("location.pathname + location.search"), "/login?next=%2Falarms");
  await desk.tryToken(page, "not-a-token");
  assert.match(await page.read(`document.getElementById("failed").innerText`), /not accepted/);
  assert.equal(await page.read(`document.getElementById("token").value`), "", "a token never comes back");
  page.complaints.length = 0;
  await desk.tryToken(page, ADMIN);
  assert.equal(await page.read("location.pathname"), "/alarms");
  assert.equal(await page.read("document.cookie.includes('kattila=') || document.cookie.includes('__Host-')"), false, "scripts cannot read the session");
  healthy(page, "after signing in");
});

test("an operator acknowledges beside the map", async () => {
  const page = await desk.visit("/map", { token: OPERATOR });
  await page.until(DRAWN, "the map to be drawn");
  await page.until(`${openAlarms} >= 2`, "alarms with buttons");
  const label = await page.read(`document.querySelector("#alarm-list button[aria-label^=Ack]").getAttribute("aria-label").slice(5)`);
  await page.read(`document.querySelector("#alarm-list button[aria-label^=Ack]").focus()`);
  await page.press("Enter");
  const acknowledged = `[...document.querySelectorAll("#alarm-list li.quiet")].some((item) => item.innerText.includes(${JSON.stringify(label)}))`;
  await page.until(acknowledged, "the alarm to be shown as acknowledged");
  healthy(page, "acknowledging");
  await page.screenshot(artifact("map-operator-1440x900"));
  await page.open(`${url}/alarms?state=acknowledged`);
  assert.match(await text(page), /olga/);
});

test("an operator acknowledges and clears without scripts, and may not reset", async () => {
  const page = await desk.visit("/alarms", { token: OPERATOR, scripts: false });
  await page.read(`document.querySelector("input[name=note]").focus()`);
  await page.type("The cable is on order");
  await page.loading(() => page.press("Enter"), "the acknowledgement");
  assert.equal(await page.read("location.pathname"), "/alarms");
  await page.open(`${url}/alarms?state=acknowledged`);
  assert.match(await text(page), /olga/);
  assert.match(await text(page), /The cable is on order/);
  const clear = `document.querySelector("form[action$='/clear'] button")`;
  await follow(page, clear, "the alarm to be cleared");
  await page.open(`${url}/alarms?state=cleared`);
  assert.match(await text(page), /olga/);
  await page.open(`${url}/agents`);
  await page.open(url + (await page.read(`document.querySelector("tbody a[href^='/agents/']").getAttribute("href")`)));
  assert.equal(await page.read(`document.querySelector("form[action$='/reset']")`), null);
  healthy(page, "forms");
});

test("an admin resets an agent, and history tells who did", async () => {
  const page = await desk.visit("/agents?sort=agent", { token: ADMIN, scripts: false });
  await page.open(url + (await page.read(`document.querySelector("tbody a[href^='/agents/']").getAttribute("href")`)));
  const where = await page.read("location.pathname");
  await follow(page, `document.querySelector("form[action$='/reset'] button")`, "the reset");
  assert.equal(await page.read("location.pathname"), where);
  await page.open(`${url}/events?agent=${where.split("/").pop()}`);
  assert.match(await text(page), /reset/i);
  healthy(page, "reset");
});

test("what was refused is told with its reason", async () => {
  const page = await desk.visit("/reports", { token: ADMIN });
  const refused = await page.read(`document.querySelector("[aria-label=Refused] table").innerText`);
  assert.match(refused, /f0f0f0f0/);
  assert.match(refused, /signature|key/i);
  await page.screenshot(artifact("reports-1440x900"));
  await page.open(url + (await page.read(`document.querySelector("tbody a[href^='/reports/']").getAttribute("href")`)));
  assert.match(await text(page), /As it was signed/);
  healthy(page, "reports");
});

test("a link's page sets both ends side by side", async () => {
  const page = await desk.visit("/links", { token: ADMIN, scripts: false });
  // An agent was reset just now, so some links are known by one end only for a moment and go; those
  // that are up with an agent at each end stay. Should one go all the same, its 404 or its page of
  // the past is no fault of the console, and another is taken.
  await page.until(async () => {
    page.complaints.length = 0;
    await page.open(`${url}/links?q=state:up+-kind:external`);
    const href = await page.read(`document.querySelector("tbody a[href^='/links/']")?.getAttribute("href") ?? null`);
    if (href === null) return false;
    await page.open(url + href);
    return /What .+ reports[^]*What .+ reports/.test(await text(page));
  }, "a link's page with a column for each end");
  assert.equal(await page.read(`document.querySelectorAll("thead th[scope=col]").length >= 2`), true);
  assert.match(await text(page), /Allowed IPs/);
  await page.screenshot(artifact("link-1440x900"));
  healthy(page, "link");
});

test("no page shows a key or a token", async () => {
  const page = await desk.visit("/settings", { token: ADMIN, scripts: false });
  const agent = await page.open(`${url}/agents`).then(() => page.read(`document.querySelector("tbody a[href^='/agents/']").getAttribute("href")`));
  const report = await page.open(`${url}/reports`).then(() => page.read(`document.querySelector("tbody a[href^='/reports/']").getAttribute("href")`));
  for (const path of ["/map", "/agents", agent, "/links", "/paths", "/what-if", "/alarms", "/reports", report, "/events", "/settings"]) {
    await page.open(url + path);
    const source = await page.read("document.documentElement.outerHTML");
    for (const secret of [SECRET, ADMIN, OPERATOR]) assert.equal(source.includes(secret), false, `${path} shows a secret`);
  }
  healthy(page, "pages");
});

test("a session that ends is told on the open map", async () => {
  const page = await desk.visit("/map", { token: OPERATOR });
  await page.until(LIVE, "the stream to be live");
  await page.read(`fetch("/logout", { method: "POST", body: new URLSearchParams({ form_token: document.body.dataset.formToken }), redirect: "manual" }).then(() => true)`);
  await page.until(`document.getElementById("live-state").textContent === "Signed out"`, "the map to say so");
  await page.open(`${url}/map`);
  assert.equal(await page.read("location.pathname"), "/login");
});
