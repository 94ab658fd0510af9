// Working on alarms by keyboard, with and without scripts. Run by tests/it/browser.rs after
// acts.test.mjs, with the same manager and the same names.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Console, DRAWN, artifact, healthy } from "./console.mjs";

const { KATTILA_TEST_URL, KATTILA_TEST_OPERATOR: OPERATOR } = process.env;

let desk;
let url;

before(async () => {
  desk = await Console.open(KATTILA_TEST_URL);
  url = desk.url;
});

after(() => desk?.close());

const text = (page) => page.read("document.body.innerText");
const where = (page) => page.read("location.pathname + location.search");

// Presses Enter on what a selector finds, and waits for the page it leads to.
async function follow(page, selector, what) {
  await page.read(`document.querySelector(${JSON.stringify(selector)}).focus()`);
  await page.loading(() => page.press("Enter"), what);
}

async function write(page, selector, words) {
  await page.read(`document.querySelector(${JSON.stringify(selector)}).focus()`);
  await page.type(words);
}

// The number of an open alarm; the demo always has some, and they come and go.
async function anAlarm(page) {
  await page.until(async () => {
    await page.open(`${url}/alarms`);
    return page.read(`document.querySelector(".page a[href^='/alarms/']:not([href='/alarms/quality'])") !== null`);
  }, "an open alarm");
  return page.read(`Number(document.querySelector("input[name=id]").value)`);
}

test("several alarms are chosen by keyboard, shelved with a reason, and taken back", async () => {
  const page = await desk.visit("/alarms", { token: OPERATOR, scripts: false });
  const id = await anAlarm(page);
  await page.read(`document.querySelector("input[name=id][value='${id}']").focus()`);
  await page.press(" ");
  assert.equal(await page.read(`document.querySelector("input[name=id][value='${id}']").checked`), true);
  await write(page, "#words", "parts are on order");
  await follow(page, "#bulk button[value=shelve]", "the alarms to be shelved");
  await page.open(`${url}/alarms?state=shelved`);
  assert.match(await text(page), /parts are on order/);
  await page.screenshot(artifact("alarms-shelved-1440x900"));
  await page.open(`${url}/alarms/${id}`);
  assert.match(await text(page), /Shelved until .*parts are on order/);
  await follow(page, "form[action$='/unshelve'] button", "it to be taken back");
  assert.equal(await where(page), `/alarms/${id}`);
  assert.equal(await page.read(`document.querySelector("form[action$='/unshelve']")`), null);
  healthy(page, "shelving");
});

test("an alarm's page takes a note, and leads to the network of that moment", async () => {
  const page = await desk.visit("/alarms", { token: OPERATOR });
  const id = await anAlarm(page);
  await page.open(`${url}/alarms/${id}`);
  if (await page.read(`document.querySelector("form[action$='/ack']") !== null`)) {
    await write(page, "form[action$='/ack'] input[name=note]", "looking into it");
    await page.loading(() => page.press("Enter"), "the acknowledgement");
  }
  assert.match(await text(page), /Acknowledged/);
  assert.match(await text(page), /The condition began/);
  await page.screenshot(artifact("alarm-1440x900"));
  await follow(page, ".actions a[href^='/map?at=']", "the map of then");
  await page.until(DRAWN, "the map of then to be drawn");
  assert.match(await where(page), /^\/map\?at=\d+/);
  healthy(page, "an alarm's page");
});

test("the map's list and the changes lead to the page of an alarm", async () => {
  const page = await desk.visit("/map", { token: OPERATOR });
  await page.until(`document.querySelector("#alarm-list a[href^='/alarms/']") !== null`, "alarms beside the map");
  await follow(page, "#alarm-list a[href^='/alarms/']", "the alarm's page");
  assert.match(await where(page), /^\/alarms\/\d+$/);
  const raised = await page.read(`fetch("/status/alarms").then((got) => got.json()).then((all) => all[0].raised_at)`);
  await page.open(`${url}/changes?from=${raised - 1}`);
  await follow(page, "main td a[href^='/alarms/']", "the alarm's page");
  assert.match(await where(page), /^\/alarms\/\d+$/);
  healthy(page, "links to alarms");
});

test("a maintenance window is made, shown and ended", async () => {
  const page = await desk.visit("/agents", { token: OPERATOR, scripts: false });
  const agent = await page.read(`document.querySelector("tbody a[href^='/agents/']").getAttribute("href").slice("/agents/".length)`);
  await page.open(`${url}/maintenance`);
  await write(page, "form input[name=who]", agent);
  await write(page, "form input[name=reason]", "a new switch");
  await follow(page, "form .button.primary", "the window to be made");
  assert.match(await text(page), /agent [^]*a new switch[^]*olga/);
  await page.screenshot(artifact("maintenance-1440x900"));
  await follow(page, "form[action$='/end'] button", "the window to be ended");
  assert.match(await text(page), /ended .* by olga/);
  healthy(page, "maintenance");
});

test("rules, quality and what-if are read", async () => {
  const page = await desk.visit("/rules", { token: OPERATOR });
  assert.match(await text(page), /edge\.down/);
  await page.open(`${url}/alarms/quality`);
  assert.match(await text(page), /agent\.|edge\./);
  await page.screenshot(artifact("quality-1440x900"));
  await page.open(`${url}/what-if`);
  assert.match(await text(page), /hang|weak|lose/i);
  await page.screenshot(artifact("what-if-1440x900"));
  healthy(page, "pages about alarms");
});
