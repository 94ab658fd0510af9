// What can be taken away from the map as a picture (PNG), in a real browser: tests/it/browser.rs starts
// a manager with a fleet and this script. The files are those that the browser saves.

import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { Console, DRAWN, artifact, healthy } from "./console.mjs";

let desk;
let folder;

before(async () => {
  desk = await Console.open(process.env.KATTILA_TEST_URL);
  folder = mkdtempSync(join(tmpdir(), "kattila-pictures-"));
});

after(async () => {
  await desk?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function visit(path, options) {
  const page = await desk.visit(path, options);
  await page.until(DRAWN, "the map to be drawn");
  return page;
}

// Presses a button of the menu and waits for the file: {name, bytes}.
async function taken(page, button) {
  const own = mkdtempSync(join(folder, "one-"));
  await page.send("Browser.setDownloadBehavior", { behavior: "allow", browserContextId: page.context, downloadPath: own });
  await page.read(`document.getElementById("export").open = true, document.getElementById("${button}").click()`);
  const name = await page.until(() => readdirSync(own).find((file) => file.endsWith(".png")), "the picture's file");
  return { name, bytes: readFileSync(join(own, name)), path: join(own, name) };
}

function keep({ path }, name) {
  mkdirSync(dirname(artifact(name)), { recursive: true });
  copyFileSync(path, artifact(name));
  assert.ok(existsSync(artifact(name)));
}

// What a decoded picture is like: {width, height, stage, foot}, the latter as numbers of colours above
// and below the stage's lower edge.
const decoded = (page, { bytes }, edge) => page.read(`(async () => {
  const bytes = Uint8Array.from(atob(${JSON.stringify(bytes.toString("base64"))}), (c) => c.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const { width, height } = image;
  const g = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  g.drawImage(image, 0, 0);
  const colours = (y, high) => new Set(new Uint32Array(g.getImageData(0, y, width, high).data.buffer)).size;
  return { width, height, stage: colours(0, ${edge}), foot: colours(${edge}, height - ${edge}) };
})()`);

const SIZE = `(({ width, height }) => [Math.round(width), Math.round(height)])(document.getElementById("stage").getBoundingClientRect())`;
const NAME = /^kattila-map-\d{8}T\d{6}Z(@2x)?\.png$/;

test("the picture as shown, and twice as fine, with a foot below it", async () => {
  const page = await visit("/map?layers=wireguard,relays&q=state:up", { reducedMotion: true });
  const [w, h] = await page.read(SIZE);
  const [plain, fine] = [await taken(page, "png"), await taken(page, "png-fine")];
  for (const { name } of [plain, fine]) assert.match(name, NAME);
  assert.equal(fine.name.includes("@2x"), true);
  const [one, two] = [await decoded(page, plain, h), await decoded(page, fine, 2 * h)];
  assert.deepEqual([one.width, two.width, two.height], [w, 2 * w, 2 * one.height]);
  assert.ok(one.height > h + 40, `no room for a foot: ${one.height} of ${h}`);
  for (const { stage, foot } of [one, two]) assert.ok(stage > 20 && foot > 20, `blank: ${stage} colours above, ${foot} below`);
  keep(plain, "map-png-1x");
  keep(fine, "map-png-2x");
  healthy(page, "pictures");
});

test("a picture of the past is named after that time", async () => {
  const page = await visit("/map", { reducedMotion: true });
  await page.until(`!document.getElementById("time").hidden`, "the strip, once there is a history");
  await page.read(`document.getElementById("stage").focus()`);
  await page.press("[");
  await page.until(`Number(document.getElementById("stage").dataset.at) > 0`, "a time of the past");
  const then = await page.read(`Number(document.getElementById("stage").dataset.at)`);
  const { name } = await taken(page, "png");
  assert.equal(name, `kattila-map-${new Date(then * 1000).toISOString().replace(/[-:]|\.000/g, "")}.png`);
  healthy(page, "a picture of the past");
});

test("under pseudonyms the picture is the manager's, which holds no real name", async () => {
  const page = await visit("/map?anon=1", { reducedMotion: true, dark: true });
  const asked = [];
  page.listeners.add((method, params) => method === "Network.requestWillBeSent" && asked.push(params.request.url));
  const fine = await taken(page, "png-fine");
  assert.match(fine.name, NAME);
  assert.ok(asked.some((url) => /\/map\.svg\?.*anon=1/.test(url)), asked.join(" "));
  const [w, h] = await page.read(SIZE);
  const { width, height, stage, foot } = await decoded(page, fine, 2 * h);
  assert.deepEqual([width, height], [2 * w, 2 * (h + 56)]);
  assert.ok(stage > 20 && foot > 20, `blank: ${stage} colours above, ${foot} below`);
  keep(fine, "map-png-pseudonyms");
  healthy(page, "pseudonyms");
});
