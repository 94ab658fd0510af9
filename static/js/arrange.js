// Arranging the map: operators drag agents and sites, or nudge them by keyboard; what is moved is
// pinned for everybody. Changes can be taken back.

import { getJson, h, postJson } from "./dom.js";
import { ago, plural } from "./format.js";
import { hit, toWorld } from "./geometry.js";
import { applyLayout } from "./glide.js";
import { lists, nameOf } from "./scene.js";

const DID = { pin: "pinned", unpin: "let go of", rearrange: "placed anew" };
const NUDGE = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };
// Pixels of one nudge, and from the last one to when it is kept.
const STEP = 12;
const KEEP_MS = 700;
const MANY = 10;

// Moves a node, or a site with everybody in it.
export function shift(scene, { type, id }, dx, dy) {
  const moved = type === "site" ? [scene.sites.get(id), ...(lists(scene).inSite.get(id) ?? [])] : [scene.nodes.get(id)];
  for (const member of moved.filter(Boolean)) Object.assign(member, { x: member.x + dx, y: member.y + dy });
}

export class Arrange {
  // `verbs`: scene(), view(), size(), plan(), chosen() (node or site, or null), moved() (draw anew),
  // resync(), changed() (the panel), say(text), choose(selection)
  constructor(verbs) {
    this.verbs = verbs;
    this.on = false;
    this.layout = null;
  }

  get pins() {
    return this.on && this.layout ? new Set(this.layout.pinned) : null;
  }

  toggle() {
    this.on = !this.on;
    if (!this.on && this.preview) this.drop();
    this.problem = null;
    this.verbs.say(this.on ? "Arranging: drag agents and sites, or choose one and press Shift with an arrow" : "No longer arranging");
    if (this.on) this.ask();
    this.verbs.changed();
  }

  // What is pinned, and what can be taken back.
  async ask() {
    this.layout = await getJson("/api/v1/layout").catch((error) => this.failed(error));
    this.verbs.changed();
  }

  failed(error) {
    this.problem = error.detail ?? error.message;
    return null;
  }

  async act(path, body, said) {
    this.problem = null;
    try {
      this.layout = await postJson(`/api/v1/layout/${path}`, body);
      this.verbs.say(said);
    } catch (error) {
      this.failed(error);
      this.verbs.say(this.problem);
      this.verbs.resync();
      this.ask();
    }
    this.verbs.changed();
  }

  // ---- by pointer

  grab(x, y) {
    const plan = this.verbs.plan();
    if (!this.on || !plan || this.preview) return false;
    const target = hit(plan, x, y, 0);
    if (!["node", "site"].includes(target?.type)) return false;
    this.held = { ...target, at: this.world(x, y) };
    return true;
  }

  world(x, y) {
    return toWorld(this.verbs.view(), this.verbs.size(), x, y);
  }

  carry(x, y, done, up) {
    const [wx, wy] = this.world(x, y);
    shift(this.verbs.scene(), this.held, wx - this.held.at[0], wy - this.held.at[1]);
    this.held.at = [wx, wy];
    this.verbs.moved();
    if (!done) return;
    if (up) this.keep(this.held);
    else this.verbs.resync();
  }

  // ---- by keyboard

  nudge(direction) {
    const target = this.verbs.chosen();
    if (!this.on || !target) return;
    const [dx, dy] = NUDGE[direction];
    const { k } = this.verbs.view();
    shift(this.verbs.scene(), target, (dx * STEP) / k, (dy * STEP) / k);
    this.verbs.moved();
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keep(target), KEEP_MS);
  }

  keep({ type, id }) {
    const scene = this.verbs.scene();
    const member = (type === "site" ? scene.sites : scene.nodes).get(id);
    if (member) this.act("pin", { moves: [{ id, x: member.x, y: member.y }] }, `${member.label} is pinned there`);
  }

  // ---- everything anew

  async look() {
    try {
      const { moved } = await getJson("/api/v1/layout/preview");
      this.preview = moved.length;
      const scene = this.verbs.scene();
      applyLayout(scene, { layout_rev: scene.layoutRev, moved });
      this.verbs.moved();
      this.verbs.say(`${plural(moved.length, "thing")} would move`);
    } catch (error) {
      this.failed(error);
    }
    this.verbs.changed();
  }

  drop() {
    this.preview = null;
    this.verbs.resync();
    this.verbs.changed();
  }

  undo() {
    const [last] = this.layout?.steps ?? [];
    if (last) this.act("undo", { step: last.step }, "Taken back");
    else this.verbs.say("There is nothing to take back");
  }

  // ---- the part of the panel

  part(now, button, close) {
    const { layout, preview, problem } = this;
    const scene = this.verbs.scene();
    const pinned = layout?.pinned ?? [];
    const chosen = this.verbs.chosen();
    const [last] = layout?.steps ?? [];
    const name = (id) => h("button", { type: "button", class: "link", "data-focus": `pin ${id}`, onclick: () => this.verbs.choose({ type: scene.sites.has(id) ? "site" : "node", id }) }, scene.sites.get(id)?.label ?? nameOf(scene, id));
    const unpin = (id) => this.act("unpin", { ids: [id] }, "No longer pinned");
    return h("div", {}, close,
      problem && h("p", { class: "notice", role: "alert" }, problem),
      preview !== null && preview !== undefined
        ? [h("p", {}, `This is how it would be: ${plural(preview, "thing")} would move, for everybody. What is pinned stays.`),
          h("p", { class: "actions" }, button("Keep this", () => {
            this.preview = null;
            this.act("rearrange", {}, "Everything was placed anew");
          }), button("As it was", () => this.drop()))]
        : [h("p", { class: "muted" }, "Drag agents and sites; what you move is pinned for everybody. By keyboard: choose one, then Shift with an arrow."),
          h("p", { class: "actions" },
            last && button("Undo", () => this.undo()),
            chosen && pinned.includes(chosen.id) && button("Let go", () => unpin(chosen.id)),
            button("Place everything anew", () => this.look()))],
      last && h("p", { class: "muted" }, `Last: ${DID[last.act]} ${plural(last.count, "thing")}, ${last.by}, ${ago(last.at, now)}.`),
      h("h3", {}, `Pinned (${pinned.length})`),
      pinned.length === 0 ? h("p", { class: "muted" }, "Nothing.")
        : h("ul", { class: "few" }, pinned.slice(0, MANY).map((id) => h("li", {}, name(id), " ", h("button", { type: "button", class: "link", "data-focus": `free ${id}`, onclick: () => unpin(id) }, "let go"))),
          pinned.length > MANY && h("li", { class: "muted" }, `and ${pinned.length - MANY} more`)));
  }
}

// On the map's page.
export const arrangeOf = (page) => new Arrange({
  scene: () => page.scene,
  view: () => page.sight.view,
  size: () => page.painter.size,
  plan: () => page.plan,
  chosen: () => (["node", "site"].includes(page.state.selected?.type) ? page.state.selected : null),
  moved: () => page.dirty(),
  resync: () => page.feed.resync(),
  changed: () => {
    page.stage.classList.toggle("arranging", page.arrange.on);
    page.tools.draw();
    page.dirty();
  },
  say: (text) => page.say(text),
  choose: (selection) => page.choose(selection, true),
});
