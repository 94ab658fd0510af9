// The layer of the map that shows who passes on whose reports, in a real browser:
// tests/it/browser.rs starts a manager with such a network and this script. Three steps are
// proven (oul-gw1 and oul-web1 through hel-gw1, oul-db1 through oul-gw1), one is claimed (oul-old1
// through oul-gw1); from hel-gw1 the way goes on to the manager, and, claimed, from oul-gw1.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { findings } from "./axe.mjs";
import { Console, DRAWN, LIVE, artifact, healthy, please, stage } from "./console.mjs";

let desk;

before(async () => {
  desk = await Console.open(process.env.KATTILA_TEST_URL);
});

after(async () => {
  await desk?.close();
});

async function visit(path, options) {
  const page = await desk.visit(path, options);
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  await page.until(`fetch("/api/v1/topology").then((r) => r.json()).then((p) => p.nodes.length === 5)`, "all hosts to have a place");
  return page;
}

const SHOWN = `${stage("drawnRelays")}`;
const pressed = `document.getElementById("relays").getAttribute("aria-pressed")`;
const explained = `!document.getElementById("paths").hidden`;

test("the layer is switched by keyboard, explained by the legend and kept in the address", async () => {
  const page = await visit("/map", { reducedMotion: true });
  assert.deepEqual([await page.read(SHOWN), await page.read(pressed), await page.read(explained)], [0, "false", false]);
  for (let i = 0; i < 40 && !(await page.read(`document.activeElement?.id === "relays"`)); i += 1) await page.press("Tab");
  assert.equal(await page.read("document.activeElement.id"), "relays", "Tab must reach the switch");
  await page.press("Enter");
  await page.until(`${SHOWN} > 0`, "the paths");
  assert.deepEqual([await page.read(pressed), await page.read(explained)], ["true", true]);
  assert.match(await page.read(`document.getElementById("chosen").textContent`), /^Relay paths: \d steps$/);
  await page.until("/[?&]layers=wireguard%2Crelays/.test(location.search)", "the layer in the address");
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("r");
  await page.until(`${SHOWN} === 0`, "the key to switch it off");
  await page.press("r");
  await page.until(`${SHOWN} > 0`, "the key to switch it on");
  healthy(page, "relay paths");
});

test("on wide and narrow screens, light and dark", async () => {
  for (const [name, options] of [
    ["relays-light-1440x900", {}], ["relays-dark-1440x900", { dark: true }],
    ["relays-phone-light-390x844", { width: 390, height: 844, scale: 2 }], ["relays-phone-dark-390x844", { dark: true, width: 390, height: 844, scale: 2 }],
  ]) {
    const page = await visit("/map?r=1", { reducedMotion: true, ...options });
    await page.until(`${SHOWN} > 0`, "the paths");
    await page.screenshot(artifact(name));
    assert.equal(await page.read("document.documentElement.scrollWidth <= innerWidth"), true, `${name} must not scroll sideways`);
    healthy(page, name);
  }
});

test("the manager is chosen by keys and by a click, and told in words", async () => {
  const page = await visit("/map?r=1", { reducedMotion: true });
  const chosen = `document.getElementById("stage").dataset.selected`;
  await page.read(`document.getElementById("stage").focus()`);
  for (let i = 0; i < 12 && (await page.read(chosen)) !== "manager"; i += 1) {
    await page.press(i === 0 ? "ArrowRight" : "ArrowUp");
    await page.read("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  }
  assert.equal(await page.read(chosen), "manager");
  // oul-old1 tells of a relay that nobody else knows.
  await page.until(`document.getElementById("chosen").textContent === "Manager, 1 agent reports straight to it, 4 through relays, 1 of them through relays that are not on this map"`, "the line about the manager");
  const panel = `document.getElementById("detail").innerText`;
  await page.until(`${panel}.includes("Where every report ends")`, "the panel");
  const told = await page.read(panel);
  for (const words of [/Straight\s+1 agent\n/, /Through relays\s+4 agents/, /Version\s+\d+\.\d+\.\d+/, /Running since\s+\d+ s ago/, /hel-gw1\s+3 agents/, /oul-gw1\s+1 agent\n/, /The reports of 1 agent passed 1 relay not on this map, 91057[0-9a-f]+: their ways are drawn without it\./]) assert.match(told, words);
  assert.match(await page.read("location.search"), /sel=manager%7Emanager/);
  await page.screenshot(artifact("relays-manager-1440x900"));
  assert.deepEqual(await findings(page), []);
  await page.press("Enter");
  assert.equal(await page.read("document.activeElement.textContent"), "Open reports");
  await page.read(`[...document.querySelectorAll("#detail button")].find(({ textContent }) => textContent === "Show on map").click()`);
  await page.read(`document.querySelector("#detail [data-focus=back]").click()`);
  await page.until(`${chosen} === ""`, "nothing to be chosen");
  const { x, y, width, height } = await page.read(`document.getElementById("stage").getBoundingClientRect().toJSON()`);
  await page.click(x + width / 2, y + height / 2);
  await page.until(`${chosen} === "manager"`, "the click to choose the manager");
  const again = await visit(await page.read("location.pathname + location.search"));
  await again.until(`${panel}.includes("Where every report ends")`, "the address to lead to it");
  for (const one of [page, again]) healthy(one, "manager");
});

test("the pages of a relay and of who comes through it", async () => {
  const page = await visit("/map");
  const agent = (label) => page.read(`fetch("/api/v1/topology").then((r) => r.json()).then((p) => p.nodes.find((n) => n.label === "${label}").agent_id)`);
  const [far, gateway] = [await agent("oul-db1"), await agent("oul-gw1")];
  for (const [name, id, words] of [["far", far, /Report path[\s\S]*oul-gw1\s+proven[\s\S]*hel-gw1\s+proven/], ["gateway", gateway, /Passes on reports of\s+oul-(db1, oul-old1|old1, oul-db1)\./]]) {
    await page.open(`${desk.url}/agents/${id}`);
    assert.match(await page.read("document.body.innerText"), words);
    await page.screenshot(artifact(`relays-agent-${name}`));
    healthy(page, name);
  }
});

test("a host that reports straight again loses its path without a reload", async () => {
  const page = await visit("/map?r=1");
  await page.until(`${SHOWN} === 6`, "all six steps");
  const loads = page.loads;
  please("let oul-web1 report straight");
  await page.until(`${SHOWN} === 5`, "the patch to take the path off");
  assert.equal(page.loads, loads);
  healthy(page, "live paths");
});
