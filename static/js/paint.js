// Draws a plan on the canvas. A full picture goes to a bitmap somewhat larger than the stage;
// while the map moves, that bitmap is shifted and scaled instead of drawing anew.

import { pointOnHalf } from "./geometry.js";
import { place } from "./labels.js";
import { halfStyle, midMark } from "./lod.js";
import { MANAGER } from "./relays.js";
import { COLOUR_OF, drawArrow, drawBadge, drawBubble, drawLost, drawManager, drawMark, drawNode, drawPin, drawPort, drawRing, drawTaken } from "./shapes.js";

const COLOURS = ["map", "surface", "site", "ink", "ink-2", "line", "up", "late", "down", "stale", "accent"];

// Colour, width, dashes and strength of half a link. Idle and unknown are quiet on purpose.
export const HALF = {
  up: ["up", 1.6, [], 0.5],
  idle: ["stale", 1.3, [1.3, 3.4], 0.8],
  unknown: ["stale", 1.3, [1.3, 3.4], 0.8],
  never: ["stale", 1.3, [1.3, 3.4], 0.8],
  overdue: ["late", 2, [7, 4], 0.95],
  down: ["down", 2.6, [], 0.95],
};

export const DIM = 0.15;

// Among more lines between sites than this, only those with bad links are counted out.
// So few nodes may all ask for a name, and so may those with so many pixels to the next one.
const FEW_NODES = 120;
const ROOMY = 40;
const MANY_BUNDLES = 40;
// A chosen node with more links than this would be a blot if each were drawn at full strength.
const HUB = 30;

const FONT = "12px system-ui, sans-serif";
const SITE_FONT = "650 13px system-ui, sans-serif";
export const SMALL = "11px system-ui, sans-serif";

// So many lines between sites are as strong as one by itself.
const FEW_BUNDLES = 60;

export class Painter {
  constructor(canvas, probe) {
    this.canvas = canvas;
    this.probe = probe;
    this.screen = canvas.getContext("2d");
    this.bitmap = document.createElement("canvas");
    this.g = this.bitmap.getContext("2d");
    this.widths = new Map();
    // Draws networks, once they are wanted (networks.js).
    this.nets = null;
    this.size = { w: 1, h: 1 };
    this.readPalette();
  }

  // Colours come from the style sheet, so that themes and forced colours need no code here.
  readPalette() {
    this.palette = {};
    for (const name of COLOURS) {
      this.probe.style.color = `var(--${name})`;
      this.palette[name] = getComputedStyle(this.probe).color;
    }
  }

  // `margin`: how many pixels around the stage are drawn too, to be moved in.
  resize(w, h, dpr = Math.min(2, window.devicePixelRatio || 1), margin = dpr > 1 ? 200 : 400) {
    Object.assign(this, { size: { w, h }, dpr, margin });
    this.canvas.width = Math.round(w * this.dpr);
    this.canvas.height = Math.round(h * this.dpr);
    this.bitmap.width = Math.round((w + 2 * this.margin) * this.dpr);
    this.bitmap.height = Math.round((h + 2 * this.margin) * this.dpr);
    this.drawnView = null;
  }

  // Draws everything anew. `marks` says what is selected, focused, bright and how old.
  paint(plan, view, marks) {
    const { g, margin, dpr, palette } = this;
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.globalAlpha = 1;
    g.fillStyle = palette.map;
    g.fillRect(0, 0, this.bitmap.width, this.bitmap.height);
    g.setTransform(dpr, 0, 0, dpr, margin * dpr, margin * dpr);
    g.lineCap = "butt";
    this.sites(plan);
    this.bundles(plan, marks);
    this.links(plan, marks);
    this.relays(plan, marks);
    this.legs(plan);
    this.nodes(plan, marks);
    if (marks.loss) this.loss(plan, marks.loss);
    if (marks.pins) this.pins(plan, marks.pins);
    this.labels(plan, marks);
    this.drawnView = { ...view };
    this.blit(view);
  }

  // Shows the bitmap where the view now is; false once it no longer covers the stage well.
  blit(view) {
    const from = this.drawnView;
    if (!from) return false;
    const { size: { w, h }, margin, dpr } = this;
    const scale = view.k / from.k;
    const x = (-margin - w / 2) * scale + (from.x - view.x) * view.k + w / 2;
    const y = (-margin - h / 2) * scale + (from.y - view.y) * view.k + h / 2;
    const width = (w + 2 * margin) * scale;
    const height = (h + 2 * margin) * scale;
    const covers = x <= 0 && y <= 0 && x + width >= w && y + height >= h && scale > 0.6 && scale < 1.8;
    this.screen.fillStyle = this.palette.map;
    this.screen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.screen.drawImage(this.bitmap, x * dpr, y * dpr, width * dpr, height * dpr);
    return covers;
  }

  sites(plan) {
    const { g, palette } = this;
    g.setLineDash([]);
    g.lineWidth = 1;
    for (const { sx, sy, sr } of plan.circles) {
      g.beginPath();
      g.arc(sx, sy, sr, 0, 6.2832);
      g.fillStyle = palette.site;
      g.fill();
      g.strokeStyle = palette.line;
      g.stroke();
    }
  }

  // Trouble above the rest, which fades where there are so many lines that they would hide it.
  bundles(plan, { bright }) {
    const { g, palette } = this;
    const calm = 0.75 * Math.min(1, Math.sqrt(FEW_BUNDLES / plan.bundles.length));
    const rank = ({ bad, down }) => (down > 0 ? 2 : bad > 0 ? 1 : 0);
    for (const bundle of [...plan.bundles].sort((p, q) => rank(p) - rank(q))) {
      const { a, b, count, quiet, edges } = bundle;
      const dim = bright && !edges.some((id) => bright.edges.has(id));
      const colour = [quiet === count ? "stale" : "up", "late", "down"][rank(bundle)];
      g.globalAlpha = dim ? DIM : rank(bundle) > 0 ? 0.75 : calm;
      g.strokeStyle = palette[colour];
      g.lineWidth = Math.min(7, 1.4 + Math.log2(count));
      g.setLineDash(colour === "stale" ? [2, 4] : colour === "late" ? [8, 4] : []);
      g.beginPath();
      g.moveTo(a.sx, a.sy);
      g.lineTo(b.sx, b.sy);
      g.stroke();
    }
    g.globalAlpha = 1;
    g.setLineDash([]);
  }

  // Strokes are gathered by style and strength: one stroke call for each, not one per link.
  links(plan, { bright, selected, loss }) {
    const batches = new Map();
    const marks = [];
    let chosen = 0;
    for (const item of plan.edges) {
      const strong = selected && (item.id === selected.id || item.a.id === selected.id || item.b.id === selected.id);
      const { source, target } = item.edge;
      const dim = loss?.gone.edges.has(item.id) || loss?.gone.nodes.has(source) || loss?.gone.nodes.has(target) || (bright && !bright.edges.has(item.id) && !strong);
      if (strong) chosen += 1;
      const mark = midMark(item.edge);
      if (mark) marks.push([mark, item.curve.mid, dim]);
      for (const end of [0, 1]) {
        const style = halfStyle(item.edge, end);
        const key = `${style}${dim ? "-" : strong ? "+" : ""}`;
        const batch = batches.get(key) ?? { style, dim, strong, halves: [] };
        batch.halves.push([item.curve, end]);
        batches.set(key, batch);
      }
    }
    const order = Object.keys(HALF);
    const sorted = [...batches.values()].sort((p, q) => order.indexOf(p.style) - order.indexOf(q.style) || Number(p.strong) - Number(q.strong));
    for (const batch of sorted) this.strokeHalves(batch, chosen > HUB);
    for (const [mark, at, dim] of marks) {
      this.g.globalAlpha = dim ? DIM : 1;
      drawMark(this.g, mark, at, this.palette);
    }
    this.g.globalAlpha = 1;
  }

  strokeHalves({ style, dim, strong, halves }, hub) {
    const { g, palette } = this;
    const [colour, width, dash, alpha] = HALF[style] ?? HALF.unknown;
    g.beginPath();
    for (const [curve, end] of halves) {
      const from = end === 0 ? curve.a : curve.b;
      const via = end === 0 ? curve.ca : curve.cb;
      g.moveTo(...from);
      if (curve.straight) g.lineTo(...curve.mid);
      else g.quadraticCurveTo(...via, ...curve.mid);
    }
    g.strokeStyle = palette[colour];
    g.lineWidth = strong && !hub ? width + 0.6 : width;
    g.globalAlpha = dim ? DIM * 0.8 : strong ? (hub ? Math.max(alpha, 0.8) : 1) : alpha;
    g.setLineDash(dash);
    g.stroke();
    g.setLineDash([]);
    g.globalAlpha = 1;
  }

  // Dotted where the relay signed for the step, dashed where the agent claims it.
  relays(plan, { bright, selected }) {
    const { g, palette } = this;
    g.strokeStyle = palette.accent;
    g.lineCap = "round";
    for (const { from, to, proven, curve } of plan.relays) {
      const dim = bright && !(bright.nodes.has(from) && (to === MANAGER || bright.nodes.has(to)));
      g.globalAlpha = dim ? DIM : 1;
      g.lineWidth = selected?.id === from || selected?.id === to ? 3.6 : 2.6;
      g.setLineDash(proven ? [0.1, 6] : [8, 6]);
      g.beginPath();
      g.moveTo(...curve.a);
      g.quadraticCurveTo(...curve.ca, ...curve.mid);
      g.quadraticCurveTo(...curve.cb, ...curve.b);
      g.stroke();
      drawArrow(g, curve.mid, curve.along, palette.accent);
    }
    g.setLineDash([]);
    g.lineCap = "butt";
    g.globalAlpha = 1;
    if (plan.manager) drawManager(g, plan.manager, palette);
  }

  // A way: a broad line along its links, dashed where there is none, with an arrow on each leg.
  legs(plan) {
    const { g, palette } = this;
    g.strokeStyle = palette.accent;
    g.lineWidth = 4;
    for (const { curve, along, linked } of plan.legs) {
      g.setLineDash(linked ? [] : [9, 7]);
      g.beginPath();
      g.moveTo(...curve.a);
      g.quadraticCurveTo(...curve.ca, ...curve.mid);
      g.quadraticCurveTo(...curve.cb, ...curve.b);
      g.stroke();
      drawArrow(g, curve.mid, along, palette.accent);
    }
    g.setLineDash([]);
  }

  // What is taken away, and what would be lost with it: red rings around who is cut off, yellow
  // ones around whose reports came that way, broad pale lines along what becomes the only way.
  loss(plan, { gone, lost, reports, weakNodes, weakLinks }) {
    const { g, palette } = this;
    g.strokeStyle = palette.late;
    g.lineWidth = 8;
    g.globalAlpha = 0.4;
    for (const { id, curve } of plan.edges) {
      if (!weakLinks.has(id)) continue;
      g.beginPath();
      g.moveTo(...curve.a);
      g.quadraticCurveTo(...curve.ca, ...curve.mid);
      g.quadraticCurveTo(...curve.cb, ...curve.b);
      g.stroke();
    }
    g.globalAlpha = 1;
    for (const { id, sx, sy, r } of plan.nodes) {
      if (gone.nodes.has(id)) drawTaken(g, sx, sy, r + 4, palette);
      if (lost.has(id)) drawLost(g, sx, sy, r + 6, palette.down);
      else if (reports.has(id)) drawLost(g, sx, sy, r + 6, palette.late);
      if (weakNodes.has(id)) drawLost(g, sx, sy, r + 10, palette.late);
    }
    for (const { members, sx, sy, sr } of plan.bubbles) {
      const any = (set) => members.some(({ id }) => set.has(id));
      if (any(lost) || any(reports)) drawLost(g, sx, sy, sr + 4, any(lost) ? palette.down : palette.late);
      if (any(gone.nodes)) drawTaken(g, sx + sr * 0.75, sy - sr * 0.75, 8, palette);
    }
    for (const { id, curve: { mid } } of plan.edges) if (gone.edges.has(id)) drawTaken(g, ...mid, 8, palette);
  }

  // While somebody arranges the map: what is pinned.
  pins(plan, pins) {
    for (const { id, sx, sy, r } of plan.nodes) if (pins.has(id)) drawPin(this.g, sx - r, sy - r, this.palette);
    for (const { id, sx, sy, sr } of [...plan.bubbles, ...plan.circles]) if (pins.has(id)) drawPin(this.g, sx, sy - sr, this.palette);
  }

  nodes(plan, { bright, selected, more, focused }) {
    const { g, palette } = this;
    for (const bubble of plan.bubbles) {
      g.globalAlpha = bright && !bubble.members.some((node) => bright.nodes.has(node.id)) ? DIM * 2 : 1;
      drawBubble(g, bubble, palette);
    }
    if (plan.level === "interfaces") this.ports(plan, bright);
    for (const node of plan.nodes) {
      g.globalAlpha = bright && !bright.nodes.has(node.id) && selected?.id !== node.id ? DIM : 1;
      drawNode(g, node, palette);
      if (node.look === "down" || node.node.alarms > 0) drawBadge(g, node, palette);
    }
    g.globalAlpha = 1;
    for (const { id } of selected ? [selected, ...more] : []) {
      const strong = focused && id === selected.id;
      const ringed = [...plan.nodes, ...plan.bubbles, plan.manager].find((item) => item?.id === id);
      if (ringed) drawRing(g, ringed.sx, ringed.sy, ringed.sr ?? ringed.r, palette, strong);
      const site = plan.circles.find((open) => open.id === id);
      if (site) drawRing(g, site.sx, site.sy, site.sr - 5, palette, strong);
      const link = plan.edges.find((edge) => edge.id === id);
      if (link) drawRing(g, ...link.curve.mid, 5, palette, strong);
    }
  }

  ports(plan, bright) {
    const { g, palette } = this;
    for (const { id, edge, a, b, curve } of plan.edges) {
      g.globalAlpha = bright && !bright.edges.has(id) ? DIM : 1;
      for (const [end, node] of [[0, a], [1, b]]) {
        if (!node.interfaces) continue;
        const [x, y] = this.alongHalf(curve, end, node.r + 6);
        drawPort(g, x, y, palette[HALF[halfStyle(edge, end)]?.[0] ?? "stale"], palette);
      }
    }
  }

  alongHalf(curve, end, pixels) {
    const from = end === 0 ? curve.a : curve.b;
    const length = Math.hypot(curve.mid[0] - from[0], curve.mid[1] - from[1]) || 1;
    return pointOnHalf(curve, end, Math.min(0.9, pixels / length));
  }

  width(text, font) {
    const key = font + text;
    if (!this.widths.has(key)) {
      if (this.widths.size > 20000) this.widths.clear();
      this.g.font = font;
      this.widths.set(key, this.g.measureText(text).width);
    }
    return this.widths.get(key);
  }

  labels(plan, marks) {
    const taken = [
      ...(marks.covers ?? []),
      ...plan.nodes.map((n) => ({ owner: n.id, x: n.sx - n.r - 1, y: n.sy - n.r - 1, w: 2 * n.r + 2, h: 2 * n.r + 2 })),
      ...(plan.manager ? [plan.manager] : []).map(({ id, sx, sy, r }) => ({ owner: id, x: sx - r, y: sy - r, w: 2 * r, h: 2 * r })),
      ...plan.edges.filter(({ edge }) => midMark(edge)).map(({ curve: { mid } }) => ({ owner: "mark", x: mid[0] - 7, y: mid[1] - 7, w: 14, h: 14 })),
      ...plan.bubbles.map((s) => ({ owner: s.id, x: s.sx - s.sr, y: s.sy - s.sr, w: 2 * s.sr, h: 2 * s.sr })),
    ];
    const named = plan.manager ? [this.label(MANAGER, [["Manager", "ink"]], plan.manager.sx, plan.manager.sy - plan.manager.r - 12, 0, 1, SITE_FONT, true)] : [];
    const wanted = [...named, ...this.siteLabels(plan), ...this.nodeLabels(plan, marks), ...(this.nets?.labels(this, plan, marks) ?? []), ...this.endLabels(plan, marks), ...this.bundleLabels(plan)];
    const { g, palette } = this;
    g.textAlign = "left";
    g.textBaseline = "middle";
    g.lineJoin = "round";
    g.lineWidth = 3.5;
    g.strokeStyle = palette.map;
    plan.nets = [];
    for (const label of place(wanted, taken, this.size)) {
      g.font = label.font;
      if (label.net) this.nets.plate(this, plan, label);
      label.lines.forEach(([text, colour], i) => {
        const x = label.bx + (label.w - this.width(text, label.font)) / 2;
        const y = label.by + 8 + i * 16;
        if (!label.net) g.strokeText(text, x, y);
        g.fillStyle = palette[colour];
        g.fillText(text, x, y);
      });
      g.globalAlpha = 1;
    }
  }

  label(owner, lines, x, y, gap, priority, font, fixed = false) {
    const w = Math.max(...lines.map(([text]) => this.width(text, font)));
    return { owner, lines, x, y, w, h: 16 * lines.length, gap, priority, font, fixed };
  }

  siteLabels(plan) {
    const open = plan.circles.map((s) => this.label(s.id, [[s.site.label, "ink-2"]], s.sx, s.sy - s.sr - 12, 0, 1, SITE_FONT, true));
    const closed = plan.bubbles.map((s) => {
      const { offline, stale } = s.site.counts;
      const lines = [[s.site.label, "ink"]];
      const trouble = [offline && `${offline} down`, stale && `${stale} late`].filter(Boolean).join(", ");
      if (trouble) lines.push([trouble, offline ? "down" : "late"]);
      const less = { ...this.label(s.id, [[s.site.label, offline ? "down" : "ink"]], s.sx, s.sy, s.sr + 1, 2, FONT), upright: true };
      return { ...this.label(s.id, lines, s.sx, s.sy, s.sr + 3, offline ? 1 : 2, SITE_FONT), upright: true, less };
    });
    return [...open, ...closed];
  }

  nodeLabels(plan, { bright, selected, more, near, loss }) {
    const few = plan.shown <= FEW_NODES;
    const labels = [];
    for (const node of plan.nodes) {
      const chosen = selected?.id === node.id || more.some(({ id }) => id === node.id);
      if (bright && !bright.nodes.has(node.id) && !chosen) continue;
      const priority = chosen ? 0
        : loss?.lost.has(node.id) || loss?.gone.nodes.has(node.id) ? 1
        : node.look === "down" ? 2
        : node.node.role === "gateway" || node.node.role === "relay" ? 3
        : near?.has(node.id) ? 4
        : node.look !== "up" ? 5
        : few || node.room >= ROOMY || bright ? 6 : null;
      if (priority === null) continue;
      const colour = node.look === "none" || (node.look === "up" && priority === 6) ? "ink-2" : "ink";
      labels.push(this.label(node.id, [[node.node.label, colour]], node.sx, node.sy, node.r + 3, priority, FONT));
    }
    return labels;
  }

  // "wg0, 42 s" at the ends of the selected node's links and of links in trouble.
  endLabels(plan, { selected, ages }) {
    if (plan.level !== "interfaces") return [];
    const labels = [];
    for (const { id, edge, a, b, curve } of plan.edges) {
      const chosen = selected && (id === selected.id || a.id === selected.id || b.id === selected.id);
      for (const [end, node] of [[0, a], [1, b]]) {
        const style = halfStyle(edge, end);
        const trouble = style === "down" || style === "overdue";
        const name = edge.ends[end].interface;
        if (!node.interfaces || !name || !(trouble || chosen)) continue;
        const age = ages?.get(`${id}/${end}`) ?? (trouble ? style : null);
        const [x, y] = this.alongHalf(curve, end, node.r + 42);
        const colour = trouble ? COLOUR_OF[style === "down" ? "down" : "late"] : "ink-2";
        labels.push(this.label(`${id}/${end}`, [[age ? `${name}, ${age}` : name, colour]], x, y, 0, trouble ? 7 : 8, SMALL, true));
      }
    }
    return labels;
  }

  bundleLabels(plan) {
    return plan.bundles
      .filter(({ a, b, count, bad }) => count > 1 && (bad > 0 || plan.bundles.length <= MANY_BUNDLES) && Math.hypot(a.sx - b.sx, a.sy - b.sy) > 190)
      .map(({ id, a, b, count, bad }) => {
        const text = bad > 0 ? `${count} links, ${bad} bad` : `${count} links`;
        return this.label(id, [[text, bad > 0 ? "ink" : "ink-2"]], (a.sx + b.sx) / 2, (a.sy + b.sy) / 2, 0, bad > 0 ? 7 : 9, SMALL, true);
      });
  }
}
