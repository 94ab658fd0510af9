// The map as a picture to keep (PNG): the stage's own drawing, made anew once or twice as fine, above a
// foot that tells the time, what was asked and what the shapes mean. Loaded when somebody wants one.

import { byId, h } from "./dom.js";
import { iso } from "./format.js";
import { HALF, Painter } from "./paint.js";
import { nameOf } from "./scene.js";
import { drawArrow, drawManager, drawMark, drawNode } from "./shapes.js";

const EDGE = 16;
const LINE = 20;
const TEXT = "12px system-ui, sans-serif";
const TITLE = "650 13px system-ui, sans-serif";
const SAMPLE = 34;
const GAP = 22;
// How long an address of a picture is kept for the browser to fetch it, in milliseconds.
const KEPT_MS = 60000;

const LAYER_WORDS = { wireguard: "WireGuard", subnets: "subnets", relays: "relay paths" };
const STYLE_OF = { one_way: "overdue", half_configured: "overdue" };
const MARK_OF = { down: "cross", one_way: "differ", never: "hollow" };

// What was asked of the map, in words. `rows`: the names of the pressed rows of the legend.
export function asked(scene, state, rows, masked) {
  const { query, problems, hide, layers, focus, path, without } = state;
  const name = (id) => {
    const link = scene.edges.get(id);
    return link ? `${nameOf(scene, link.source)} - ${nameOf(scene, link.target)}` : nameOf(scene, id);
  };
  const shown = Object.keys(LAYER_WORDS).filter((layer) => layers.has(layer)).map((layer) => LAYER_WORDS[layer]);
  return [
    `Layers: ${shown.join(", ") || "none"}`,
    query && `Search: ${query}`,
    rows.length > 0 && `Only: ${rows.join(", ")}`,
    problems && "Problems only",
    hide && "The rest is left out",
    focus && `Neighbourhood: ${name(focus.id)}, ${focus.hops === 1 ? "1 link" : `${focus.hops} links`} wide`,
    path?.to && `Path: ${name(path.from)} to ${name(path.to)}`,
    without?.length > 0 && `Without: ${without.map(name).join(", ")}`,
    masked && "Names and addresses are pseudonyms",
  ].filter(Boolean);
}

// The name of the file: the time, and how fine it is.
export const fileName = (at, scale) => `kattila-map-${iso(Math.floor(at)).replace(/[-:]/g, "")}${scale > 1 ? `@${scale}x` : ""}.png`;

// Lays items {w} out in lines of a width; tells where each begins, and how many lines that takes.
export function flow(items, width) {
  let [x, line] = [0, 0];
  const placed = items.map((item) => {
    if (x > 0 && x + item.w > width) [x, line] = [0, line + 1];
    const at = { ...item, x, line };
    x += item.w + GAP;
    return at;
  });
  return { placed, lines: items.length > 0 ? line + 1 : 0 };
}

function drawLine(g, { colour, width, dash, cap = "butt" }, x, y) {
  Object.assign(g, { strokeStyle: colour, lineWidth: width, lineCap: cap });
  g.setLineDash(dash);
  g.beginPath();
  g.moveTo(x, y);
  g.lineTo(x + 28, y);
  g.stroke();
  g.setLineDash([]);
  g.lineCap = "butt";
}

const word = (row) => [...row.childNodes].filter((part) => part.nodeType === Node.TEXT_NODE).map((part) => part.data.trim()).join("");

// What the rows of the page's legend say, each with the drawing of its sample.
function samples(legend, palette, relayed) {
  const count = (row) => row.querySelector(".count")?.textContent ?? "";
  const rows = legend.filter((row) => count(row) !== "0");
  const found = rows.map((row) => {
    const { look } = row.dataset;
    const state = row.dataset.states?.split(" ")[0];
    const draw = look ? (g, x, y) => drawNode(g, { sx: x + 14, sy: y, r: 5, look, node: { role: "agent" } }, palette)
      : (g, x, y) => {
        const [colour, width, dash] = HALF[STYLE_OF[state] ?? state];
        drawLine(g, { colour: palette[colour], width, dash }, x, y);
        if (MARK_OF[state]) drawMark(g, MARK_OF[state], [x + 14, y], palette);
      };
    return { text: `${word(row)} ${count(row)}`, draw };
  });
  if (!relayed) return found;
  const step = (dash) => (g, x, y) => {
    drawLine(g, { colour: palette.accent, width: 2.6, dash, cap: "round" }, x, y);
    drawArrow(g, [x + 13, y], [1, 0], palette.accent);
  };
  const manager = (g, x, y) => drawManager(g, { sx: x + 14, sy: y, r: 8 }, palette);
  return [...found, { text: "Manager", draw: manager }, { text: "Relay path, signed", draw: step([0.1, 6]) }, { text: "Relay path, claimed", draw: step([8, 6]) }];
}

// Draws the foot below a stage of this size, or only says how high it is.
function foot(g, palette, { w, h: top }, { title, words, rows }) {
  const wide = (text, font) => {
    g.font = font;
    return g.measureText(text).width;
  };
  const told = flow(words.map((text) => ({ text, w: wide(text, TEXT) })), w - 2 * EDGE);
  const means = flow(rows.map((row) => ({ ...row, w: SAMPLE + wide(row.text, TEXT) })), w - 2 * EDGE);
  const high = 2 * EDGE + LINE * (1 + told.lines + means.lines) - 4;
  if (top === null) return high;
  g.fillStyle = palette.surface;
  g.fillRect(0, top, w, high);
  g.fillStyle = palette.line;
  g.fillRect(0, top, w, 1);
  Object.assign(g, { textAlign: "left", textBaseline: "middle" });
  const write = (text, x, line, font, colour) => {
    Object.assign(g, { font, fillStyle: palette[colour] });
    g.fillText(text, EDGE + x, top + EDGE + 8 + LINE * line);
  };
  write(title, 0, 0, TITLE, "ink");
  for (const { text, x, line } of told.placed) write(text, x, 1 + line, TEXT, "ink-2");
  for (const { text, draw, x, line } of means.placed) {
    const row = 1 + told.lines + line;
    draw(g, EDGE + x, top + EDGE + 8 + LINE * row);
    write(text, x + SAMPLE, row, TEXT, "ink");
  }
  return high;
}

// The stage with its foot, on a canvas of its own.
function drawn(page, scale, at) {
  const { painter, sight: { view }, scene, state } = page;
  const { w, h: high } = painter.size;
  const own = new Painter(document.createElement("canvas"), byId("probe"));
  own.nets = painter.nets;
  own.resize(w, high, scale, 0);
  const planned = page.planned(0);
  own.paint(planned, view, { ...page.marks(), covers: [], focused: false });
  const masked = byId("anon").closest("li").hidden;
  const pressed = page.legend.rows.filter((row) => row.getAttribute("aria-pressed") === "true");
  const about = {
    title: `Kattila, the network as of ${iso(Math.floor(at)).replace("T", " ").replace("Z", " UTC")}`,
    words: asked(scene, state, pressed.map(word), masked),
    rows: samples(page.legend.rows, own.palette, planned.relays.length > 0),
  };
  const canvas = document.createElement("canvas");
  const g = canvas.getContext("2d");
  const low = foot(g, own.palette, { w, h: null }, about);
  Object.assign(canvas, { width: Math.round(w * scale), height: Math.round((high + low) * scale) });
  g.drawImage(own.canvas, 0, 0);
  g.setTransform(scale, 0, 0, scale, 0, 0);
  foot(g, own.palette, { w, h: high }, about);
  return canvas;
}

// Under pseudonyms no real name may be drawn, so it is the manager's picture, which holds none.
async function pseudonymous(address, scale) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: image.naturalWidth * scale, height: image.naturalHeight * scale });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// Makes the picture of what is shown and gives it to the browser to keep.
export const save = (page, scale) => made(page, scale).catch(({ message }) => page.note(`The picture could not be made: ${message}.`));

async function made(page, scale) {
  if (!page.scene || !page.sight.view) return;
  const at = page.asOf();
  const canvas = page.state.anon ? await pseudonymous(byId("picture").href, scale) : drawn(page, scale, at);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("the browser could not make a picture of this size");
  const href = URL.createObjectURL(blob);
  h("a", { href, download: fileName(at, scale) }).click();
  setTimeout(() => URL.revokeObjectURL(href), KEPT_MS);
}
