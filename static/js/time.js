// The strip under the map: when things changed, and the way to any second of it and back.

import { fill, getJson } from "./dom.js";
import { iso } from "./format.js";
import { fromSnapshot } from "./scene.js";

const STEPS = 240;
const SLIDE_MS = 120;
const RELOAD_MS = 60000;
const UNIT_S = { s: 1, m: 60, h: 3600, d: 86400 };
const LOOK = { critical: "down", major: "down", minor: "late", warning: "late" };

// What a person writes as a time: seconds, `-90m`, `14:02` (the last one there was), or whatever
// the manager reads. Pure.
export function readTime(text, now) {
  const back = /^-(\d+)\s*([smhd])$/.exec(text.trim());
  if (back) return String(Math.floor(now) - Number(back[1]) * UNIT_S[back[2]]);
  if (!/^\d{1,2}:\d\d(:\d\d)?$/.test(text.trim())) return text.trim();
  const clock = text.trim().padStart(text.trim().indexOf(":") === 1 ? text.trim().length + 1 : 0, "0");
  const at = Date.parse(`${iso(now).slice(0, 10)}T${clock}Z`) / 1000;
  return Number.isNaN(at) ? text.trim() : String(at > now ? at - UNIT_S.d : at);
}

// Where the bars of a count stand: [{x, height, look}] over 0 to 100. Few changes still show. Pure.
export function bars({ from, to, buckets }) {
  const most = Math.max(...buckets.map((bucket) => bucket.count), 1);
  return buckets.map(({ at, count, worst }) => ({
    x: (100 * (at - from)) / (to - from),
    height: 12 + (88 * Math.log1p(count)) / Math.log1p(most),
    look: LOOK[worst] ?? "stale",
  }));
}

export class TimeStrip {
  // `verbs`: go(time as text, or null for the present), now()
  constructor(root, verbs) {
    this.verbs = verbs;
    this.root = root;
    this.at = null;
    const part = (name) => root.querySelector(`[name=${name}], [data-part=${name}]`);
    [this.bars, this.slider, this.text, this.span, this.live] = ["bars", "slider", "at", "span", "live"].map(part);
    const slide = () => this.verbs.go(String(Math.max(this.slider.value, this.seen.since)));
    this.slider.addEventListener("input", () => {
      this.text.value = iso(Number(this.slider.value));
      clearTimeout(this.sliding);
      this.sliding = setTimeout(slide, SLIDE_MS);
    });
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.text.value.trim();
      this.verbs.go(text === "" || text === "now" ? null : readTime(text, Date.now() / 1000));
    });
    this.span.addEventListener("change", () => this.load());
    part("earlier").addEventListener("click", () => this.step("previous"));
    part("later").addEventListener("click", () => this.step("next"));
    this.live.addEventListener("click", () => this.verbs.go(null));
    setInterval(() => document.hidden || this.load(), RELOAD_MS);
  }

  // The map shows this past now, which knows the changes around it; null for the present.
  show(past) {
    clearTimeout(this.sliding);
    const at = past?.at ?? null;
    this.at = at;
    this.near = past;
    this.live.disabled = at === null;
    this.text.value = at === null ? "" : iso(at);
    return this.load();
  }

  // To the change before or after; after the last one comes the present.
  async step(which) {
    if (this.at === null) await this.load();
    const next = (this.at === null ? this.seen : this.near)?.[which];
    if (next) this.verbs.go(String(next));
    else if (which === "next" && this.at !== null) this.verbs.go(null);
  }

  async load() {
    const now = Math.floor(this.verbs.now());
    const length = Number(this.span.value);
    // A time further back than the strip is long stands in its middle.
    const to = this.at !== null && this.at < now - length ? this.at + Math.floor(length / 2) : now;
    const seen = await getJson(`/api/v1/history?from=${to - length}&to=${to}&buckets=${STEPS}&at=${this.at ?? now}`).catch(() => null);
    if (!seen) return;
    this.seen = seen;
    this.root.hidden = seen.since === null;
    const rects = bars(seen).map(({ x, height, look }) => {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      Object.entries({ x, y: 100 - height, width: 80 / STEPS, height, class: `f-${look}` }).forEach((pair) => rect.setAttribute(...pair));
      return rect;
    });
    fill(this.bars, rects);
    Object.assign(this.slider, { min: seen.from, max: seen.to, step: Math.max(1, Math.round(length / 1440)) });
    // The slider's own steps must not move the time that is shown.
    this.slider.value = this.at ?? seen.to;
    this.slider.setAttribute("aria-valuetext", this.at === null ? "now" : iso(this.at));
  }
}

// Shows the network as it was then on the map's page; null goes back to the present. Only the last
// wish counts.
export async function travel(page, at) {
  if (at === null) {
    page.state.at = null;
    page.note(null);
    page.feed.start();
    return;
  }
  let scene = null;
  try {
    scene = fromSnapshot(await page.picture(`&at=${encodeURIComponent(at)}`));
  } catch (error) {
    if (page.wish === at) page.note(error.detail ?? error.message, "/map", "Back to live");
    page.state.at = page.scene?.past?.at ?? null;
    if (!page.scene) page.feed.start();
    return;
  }
  if (page.wish !== at) return;
  page.feed.stop();
  page.state.at = scene.past.at;
  page.arrived(scene);
  const text = `The network as it was at ${iso(scene.past.at)}`;
  page.liveState({ state: "past" });
  page.note(`${text}.`, "/map", "Back to live");
  page.describe(`${text}: `);
}
