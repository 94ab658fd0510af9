// Sharing what is seen: an operator makes a link on the map, a colleague without an account opens it
// in a browser of their own, and it ends when it is taken back. Run by tests/it/browser.rs.
//
// KATTILA_TEST_URL        a manager with a demo fleet, closed to strangers
// KATTILA_TEST_OPERATOR   a token of the operator olga
// KATTILA_TEST_TOKEN      an admin's token

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { findings } from "./axe.mjs";
import { Console, DRAWN, LIVE, artifact, healthy } from "./console.mjs";

const { KATTILA_TEST_URL, KATTILA_TEST_TOKEN: ADMIN, KATTILA_TEST_OPERATOR: OPERATOR } = process.env;

let desk;
let url;
let link;

before(async () => {
  desk = await Console.open(KATTILA_TEST_URL);
  url = desk.url;
});

after(() => desk?.close());

const selected = `document.getElementById("stage").dataset.selected`;

// Presses Enter on what an expression finds.
async function enter(page, element) {
  await page.read(`${element}.focus()`);
  await page.press("Enter");
}

test("an operator makes a link on the map, by keyboard, and sees it selected", async () => {
  const page = await desk.visit("/map?q=state:up", { token: OPERATOR });
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("ArrowRight");
  const chosen = await page.until(selected, "a selection");
  await enter(page, `document.querySelector("a[data-share]")`);
  await page.until(`document.getElementById("share")?.open`, "the dialog");
  const address = await page.read(`document.getElementById("share-address").value`);
  assert.equal(address, await page.read("location.href"), "people with an account get the address");
  assert.deepEqual(await findings(page), [], "the dialog");
  await enter(page, `document.querySelector("#share form button.primary")`);
  link = await page.until(`document.getElementById("share-link")?.value`, "the link");
  assert.ok(link.startsWith(`${url}/s/`), link);
  // Headless Chromium has no clipboard to write to without being asked: it stays selected.
  const ready = `(() => { const field = document.getElementById("share-link"); return field.selectionStart === 0 && field.selectionEnd === field.value.length; })()`;
  assert.ok(await page.read(ready), "selected");
  assert.match(await page.read(`document.querySelector("#share .made").innerText`), /until \d{4}-/);
  await page.screenshot(artifact("share-dialog-1440x900"));
  await enter(page, `document.querySelector("#share .close button")`);
  // It goes with an event that comes after it has closed.
  await page.until(`document.getElementById("share") === null`, "the dialog to go");
  healthy(page, "sharing");
  link = { address: link, chosen };
});

for (const [name, options] of Object.entries({ "1440x900": {}, "390x844": { width: 390, height: 844 }, dark: { dark: true } })) {
  test(`a visitor sees exactly that, and who shared it (${name})`, async () => {
    const page = await desk.browser.page(options);
    await page.open(link.address);
    await page.until(DRAWN, "the map to be drawn");
    await page.until(LIVE, "the stream to be live");
    assert.equal(await page.until(selected, "the selection"), link.chosen);
    assert.equal(await page.read("location.pathname"), "/map");
    assert.equal(await page.read(`document.getElementById("q").value`), "state:up");
    assert.match(await page.read(`document.getElementById("visit").innerText`), /Shared with you by olga: fleets? .* until/s);
    assert.equal(await page.read(`document.querySelector("a[data-share]")`), null, "visitors share nothing");
    const hidden = `[...document.querySelectorAll("a")].filter((a) => a.checkVisibility() && /^\\/(reports|settings|account|shares|api|rules|audit)/.test(a.getAttribute("href"))).map((a) => a.getAttribute("href"))`;
    assert.deepEqual(await page.read(hidden), []);
    await page.screenshot(artifact(`visitor-${name}`));
    assert.deepEqual(await findings(page), [], "the visitor's map");
    healthy(page, "the visitor's map");
  });
}

test("a visitor walks the tables and meets no refusal", async () => {
  const page = await desk.browser.page();
  await page.open(link.address);
  await page.until(DRAWN, "the map to be drawn");
  const seen = new Set();
  const queue = ["/agents", "/links", "/alarms", "/events", "/paths", "/what-if", "/changes"];
  // Of each kind of page one is opened.
  const kind = (path) => path.split("?")[0].replace(/^(\/[a-z-]+\/).+/, "$1*");
  while (queue.length > 0) {
    const path = queue.shift();
    if (seen.has(kind(path))) continue;
    seen.add(kind(path));
    await page.open(url + path);
    assert.equal(await page.read(`document.querySelector("p.crumb")?.textContent === "403"`), false, path);
    assert.ok(await page.read(`document.getElementById("visit") !== null`), path);
    queue.push(...(await page.read(`[...document.querySelectorAll("main a[href^='/']")].filter((a) => a.checkVisibility()).map((a) => a.getAttribute("href"))`)));
    healthy(page, path);
  }
  assert.ok(seen.has("/agents/*") && seen.has("/links/*") && seen.has("/alarms/*"), [...seen].join(" "));
});

test("what is taken back ends at once, with its open stream", async () => {
  const visitor = await desk.browser.page();
  await visitor.open(link.address);
  await visitor.until(LIVE, "the stream to be live");
  const page = await desk.visit("/shares", { token: ADMIN });
  assert.match(await page.read(`document.querySelector("tbody").innerText`), /5 times/);
  await page.screenshot(artifact("shares-1440x900"));
  assert.deepEqual(await findings(page), [], "the list");
  await page.read(`document.querySelector("form[action$='/revoke'] button").focus()`);
  await page.loading(() => page.press("Enter"), "the link to be taken back");
  assert.match(await page.read(`document.querySelector("main").innerText`), /Nothing is shared now/);
  healthy(page, "taking back");
  await visitor.until(`document.getElementById("live-state").textContent === "Signed out"`, "the stream to end");
  assert.match(await visitor.read(`document.getElementById("bar").innerText`), /Your link has ended/);
  visitor.complaints.length = 0;
  await visitor.open(link.address);
  assert.match(await visitor.read("document.body.innerText"), /This link shows nothing any more/);
  await visitor.screenshot(artifact("share-over-1440x900"));
  await visitor.open(`${url}/agents`);
  assert.match(await visitor.read("document.body.innerText"), /This link shows nothing any more/);
});
