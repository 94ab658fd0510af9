// A host dies, and somebody who has never seen the console finds out which one, since when, what it cut
// off and what changed just before, and sends a colleague exactly that. Each step is what the page
// offers at that moment; nothing is known from elsewhere. Run by tests/it/incident.rs.
//
// KATTILA_TEST_URL     a manager with the demo's network, in which a host has died on whom others hang;
//                      strangers may look
// KATTILA_TEST_TOKEN   an admin's token

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { sound } from "./axe.mjs";
import { Console, DRAWN, LIVE, please, stage } from "./console.mjs";

const { KATTILA_TEST_URL, KATTILA_TEST_TOKEN: ADMIN } = process.env;

const GUISES = {
  "1440x900-light": {},
  "1440x900-dark": { dark: true },
  "390x844-light": { width: 390, height: 844 },
  "390x844-dark": { width: 390, height: 844, dark: true },
};

let desk;
// What the manager itself knows of it.
let truth;

before(async () => {
  desk = await Console.open(KATTILA_TEST_URL);
  const page = await desk.visit("/settings");
  const json = (path) => page.read(`fetch(${JSON.stringify(path)}).then((answer) => answer.json())`);
  const { nodes } = await json("/api/v1/topology");
  for (const node of nodes.filter(({ status }) => status === "offline")) {
    const loss = await json(`/api/v1/what-if?without=${node.agent_id}`);
    const lost = loss.cut_off.flatMap((part) => part.nodes);
    if (lost.length > 0) truth = { node, lost, changes: await json(`/api/v1/diff?to=${node.seen_at}`) };
  }
});

after(() => desk?.close());

const clock = (at) => new Date(at * 1000).toISOString().slice(11, 19);
const button = (words) => `[...document.querySelectorAll("#detail button, .toolbar button, .toolbar a, #share button")].find((one) => one.textContent === ${JSON.stringify(words)})`;
const outage = `document.querySelector("#detail [data-part=outage]")`;

async function visit(path, options = {}) {
  const page = await desk.visit(path, { reducedMotion: true, ...options });
  await page.until(DRAWN, "the map to be drawn");
  return page;
}

// Presses with the pointer what an expression finds, as somebody does who sees it.
async function press(page, element) {
  await page.read(`${element}.scrollIntoView({ block: "nearest", inline: "nearest" })`);
  const { x, y } = await page.read(`(({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 }))(${element}.getBoundingClientRect())`);
  await page.click(x, y);
}

// What the panel says of the dead host, once it is all there.
async function told(page) {
  await page.until(`${outage}?.querySelectorAll("h3").length === 2`, "what it cut off and what changed before");
  return page.read(`${outage}.innerText`);
}

// It says since when, whom it cut off, and what changed before; the stage marks those who are cut off.
async function tellsAll(page) {
  const text = await told(page);
  assert.match(text, new RegExp(`Last heard ${clock(truth.node.seen_at)} UTC`));
  assert.match(text, new RegExp(`${truth.lost.length} nodes? can no longer reach the rest`));
  for (const { label } of truth.lost.slice(0, 8)) assert.ok(text.includes(label), `${label} in ${text}`);
  await page.until(`${stage("lost")} === ${truth.lost.length}`, "their marks");
  assert.ok(await page.read(`!document.getElementById("losses").hidden`), "the legend says what the marks mean");
  const times = await page.read(`[...${outage}.querySelectorAll(".before time")].map((time) => Date.parse(time.dateTime) / 1000)`);
  assert.ok(times.length > 0, text);
  assert.deepEqual(times, times.toSorted((a, b) => b - a), "the newest first");
  assert.ok(times.every((at) => at <= truth.node.seen_at && at >= truth.changes.from), `${times} before ${truth.node.seen_at}`);
  return text;
}

for (const [name, options] of Object.entries(GUISES)) {
  test(`which host died, since when, what it cut off, what changed before (${name})`, async () => {
    const page = await visit("/map", options);
    await page.until(LIVE, "the stream to be live");
    // The first look: how many are down, and who is worst.
    assert.match(await page.read(`document.getElementById("detail").innerText`), /[1-9]\d* down/);
    await sound(page, `incident/1-first-look-${name}`);
    const list = `[...document.querySelectorAll("#detail .list li")]`;
    assert.match(await page.read(`${list}[0].innerText`), /Down/);
    // Who is down is at the top of the list; it is one press away.
    await press(page, `${list}.map((line) => line.querySelector("button")).find((name) => name?.textContent === ${JSON.stringify(truth.node.label)})`);
    await tellsAll(page);
    assert.ok(await page.read(`${outage}.getBoundingClientRect().top < innerHeight`), "without scrolling");
    await sound(page, `incident/2-what-died-${name}`);
    await press(page, button("Show what is cut off"));
    await page.until(`document.getElementById("stage").dataset.level !== "sites"`, "the view to come to rest");
    await sound(page, `incident/3-cut-off-${name}`);
    const all = await page.read(`${outage}.querySelector('a[href^="/changes"]').getAttribute("href")`);
    await page.open(desk.url + all);
    assert.match(await page.read("document.body.innerText"), new RegExp(`to .*${clock(truth.node.seen_at).slice(0, 5)}`));
    await sound(page, `incident/4-changes-${name}`);
  });
}

test("the pages of the host say the same without a script", async () => {
  const page = await desk.visit(`/agents/${truth.node.agent_id}`, { scripts: false });
  const links = await page.read(`Object.fromEntries([...document.querySelectorAll(".actions a")].map((link) => [link.textContent, link.getAttribute("href")]))`);
  await page.open(desk.url + links["What it cut off"]);
  const text = await page.read("document.body.innerText");
  for (const { label } of truth.lost) assert.ok(text.includes(label), `${label} in ${text}`);
  await page.open(desk.url + links["What changed before"]);
  assert.match(await page.read("document.body.innerText"), new RegExp(clock(truth.node.seen_at).slice(0, 5)));
});

// Opens the dialog, and says that they shall see it as it is now.
async function share(page) {
  await press(page, button("Share"));
  await page.until(`document.getElementById("share")?.open`, "the dialog");
  await press(page, `document.querySelector('#share input[value="then"]')`);
  return page.read(`document.getElementById("share-address").value`);
}

test("a colleague is sent exactly that, by address or link, and sees it also when the host is back", async () => {
  const page = await visit("/map");
  await page.until(LIVE, "the stream to be live");
  await press(page, `[...document.querySelectorAll("#detail .list button")].find((name) => name.textContent === ${JSON.stringify(truth.node.label)})`);
  await tellsAll(page);
  const live = await page.read("location.href");
  const address = await share(page);
  assert.match(address, /at=\d+/);
  assert.equal(address.replace(/[?&]at=\d+/, ""), live, "the same but for its time");
  await sound(page, "incident/5-share");
  // Who may act makes a link for somebody without an account.
  const admin = await desk.visit(live.slice(desk.url.length), { token: ADMIN, reducedMotion: true });
  await told(admin);
  await share(admin);
  await press(admin, button("Make a link"));
  const link = await admin.until(`document.getElementById("share-link")?.value`, "the link");
  await sound(admin, "incident/6-share-link");
  please(`bring back ${truth.node.agent_id}`);
  const present = await visit("/map");
  const status = `fetch("/api/v1/topology").then((answer) => answer.json()).then(({ nodes }) => nodes.find(({ agent_id }) => agent_id === ${JSON.stringify(truth.node.agent_id)}).status)`;
  await present.until(async () => (await present.read(status)) === "online", "the host to come back");
  for (const [name, opened] of Object.entries({ address, link })) {
    for (const [guise, options] of Object.entries(GUISES)) {
      const colleague = await desk.browser.page({ reducedMotion: true, ...options });
      await colleague.open(opened);
      await colleague.until(DRAWN, "the map to be drawn");
      assert.equal(await colleague.until(`document.getElementById("stage").dataset.selected`, "the selection"), truth.node.id);
      await colleague.until(`document.querySelector("#detail h2")?.textContent === ${JSON.stringify(truth.node.label)}`, "the host");
      await tellsAll(colleague);
      assert.match(await colleague.read(`document.getElementById("bar").innerText`), /The network as it was at/);
      await sound(colleague, `incident/7-colleague-${name}-${guise}`);
    }
  }
});
