// Arranging the map with the pointer: an operator drags an agent, it is pinned there for everybody,
// stands there after a reload, and goes back when that is taken back. Run by tests/it/browser.rs.
//
// KATTILA_TEST_URL        a manager with a demo fleet, closed to strangers
// KATTILA_TEST_OPERATOR   a token of the operator olga

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { findings } from "./axe.mjs";
import { Console, DRAWN, LIVE, artifact, healthy } from "./console.mjs";

const { KATTILA_TEST_URL, KATTILA_TEST_OPERATOR: OPERATOR } = process.env;

let desk;

before(async () => {
  desk = await Console.open(KATTILA_TEST_URL);
});

after(() => desk?.close());

const K = 2;
const selected = `document.getElementById("stage").dataset.selected`;
const tool = `document.getElementById("tool").innerText`;
const topology = (page) => page.read(`fetch("/api/v1/topology").then((answer) => answer.json())`);
const placeOf = async (page, id) => (({ x, y }) => ({ x, y }))((await topology(page)).nodes.find((node) => node.id === id));
const near = (a, b) => Math.abs(a.x - b.x) < 1.5 && Math.abs(a.y - b.y) < 1.5;

// Waits until a node is at a place, as the manager tells it; where exactly.
const comesTo = (page, id, place) => page.until(async () => {
  const now = await placeOf(page, id);
  return near(now, place) && now;
}, `${id} to be at ${JSON.stringify(place)}`);

// The middle of the stage, in the window.
const middle = (page) => page.read(`(({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 }))(document.getElementById("stage").getBoundingClientRect())`);

// A look at a place of the map: that is then in the middle of the stage.
async function lookAt(page, { x, y }) {
  await page.open(`${desk.url}/map?x=${x}&y=${y}&k=${K}`);
  await page.until(DRAWN, "the map to be drawn");
  await page.until(LIVE, "the stream to be live");
  await page.until(`document.getElementById("stage").dataset.level !== "sites"`, "agents to be drawn");
  // The strip below takes its room from the stage, which is then drawn anew.
  await page.until(`!document.getElementById("time").hidden`, "the strip");
  await page.read("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))");
}

async function stands(page, id, place, when) {
  await lookAt(page, place);
  const { x, y } = await middle(page);
  await page.click(x, y);
  assert.equal(await page.until(selected, `something to be chosen ${when}`), id, when);
}

test("an agent that is dragged is pinned there for everybody, until that is taken back", async () => {
  const page = await desk.visit("/map", { token: OPERATOR, reducedMotion: true });
  const { nodes, sites } = await topology(page);
  // One that is well away from the middle of its site: it goes a part of the way there.
  const away = (node) => {
    const site = sites.find(({ id }) => id === node.site);
    return { dx: (site.x - node.x) * 0.4, dy: (site.y - node.y) * 0.4 };
  };
  const node = nodes.filter(({ role, agent_id: agent }) => agent && role === "agent").toSorted((a, b) => Math.hypot(...Object.values(away(b))) - Math.hypot(...Object.values(away(a))))[0];
  const { dx, dy } = away(node);
  const from = await placeOf(page, node.id);
  await stands(page, node.id, from, "before");
  // Without asking for it first, dragging moves the view and nothing else.
  const at = await middle(page);
  await page.drag(at.x, at.y, dx * K, dy * K);
  assert.deepEqual(await placeOf(page, node.id), from, "it only moves where people arrange");
  await lookAt(page, from);
  // A colleague who looks at where it will be sees it glide there.
  const colleague = await desk.visit("/map", { token: OPERATOR });
  await lookAt(colleague, { x: from.x + dx, y: from.y + dy });
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("a");
  await page.until(`/Pinned \\(0\\)/.test(${tool})`, "the controls");
  await page.drag(at.x, at.y, dx * K, dy * K);
  await page.until(`/Pinned \\(1\\)/.test(${tool})`, "it to be pinned");
  assert.match(await page.read(`document.getElementById("chosen").textContent`), new RegExp(`${node.label} is pinned there`));
  await page.screenshot(artifact("arrange-pinned-1440x900"));
  assert.deepEqual(await findings(page), [], "arranging");
  const to = { x: from.x + dx, y: from.y + dy };
  const now = await comesTo(page, node.id, to);
  const there = await middle(colleague);
  await colleague.until(async () => {
    await colleague.click(there.x, there.y);
    return (await colleague.read(selected)) === node.id;
  }, "it to be there for a colleague");
  assert.equal(await colleague.read(`performance.getEntriesByType("resource").some(({ name }) => name.endsWith("/js/glide.js"))`), true);
  healthy(colleague, "watching");
  await stands(page, node.id, now, "after a reload");
  // A colleague sees it there, too, and nobody else has moved.
  const other = await topology(page);
  const moved = other.nodes.filter((after) => nodes.some((before) => before.id === after.id && !near(before, after))).map(({ id }) => id);
  assert.deepEqual(moved, [node.id]);
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("a");
  await page.until(`/Undo/.test(${tool})`, "what can be taken back");
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("u");
  await page.until(`/Pinned \\(0\\)/.test(${tool})`, "it to be let go of");
  await comesTo(page, node.id, from);
  await stands(page, node.id, from, "after it was taken back");
  // The same by keys alone: what is chosen is nudged, and pinned where it comes to rest.
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("a");
  await page.until(`/Pinned \\(0\\)/.test(${tool})`, "the controls");
  await page.read(`document.getElementById("stage").focus()`);
  for (let i = 0; i < 4; i += 1) await page.press("ArrowRight", 8);
  await comesTo(page, node.id, { x: from.x + 48 / K, y: from.y });
  await page.until(`/Pinned \\(1\\)/.test(${tool})`, "it to be pinned");
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("u");
  await comesTo(page, node.id, from);
  healthy(page, "arranging");
});
