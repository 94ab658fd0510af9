// What keys do on the stage, two clicks on a thing, and what chooses several. Loaded once the picture is on its way; keys that are pressed before wait.

import { byId } from "./dom.js";
import { stepTo } from "./geometry.js";
import { nameOf, neighbours, pageOf } from "./scene.js";
import { MANAGER } from "./relays.js";
import { LAYERS } from "./url.js";

export class Keys {
  // `page` is the map's page.
  constructor(page) {
    this.page = page;
    // Whose neighbours are gone through.
    this.hub = null;
  }

  key(verb, shift) {
    if (!this.page.scene || !this.page.sight.view) return;
    const arrow = ["left", "right", "up", "down"].includes(verb);
    if (arrow && shift && this.page.arrange.on) this.page.arrange.nudge(verb);
    else if (arrow) this.step(verb);
    else if (verb === "in") this.page.sight.zoomBy(1.4);
    else if (verb === "out") this.page.sight.zoomBy(1 / 1.4);
    else if (verb === "fit") this.page.sight.fit();
    else if (verb === "enter") this.enter();
    else if (verb === "escape") this.escape();
    else if (verb === "next" || verb === "previous") this.neighbour(verb === "next" ? 1 : -1);
    else if (verb === "help") byId("help").showModal();
    else if (verb === "search") byId("q").focus();
    else if (LAYERS.includes(verb)) this.page.toggle(verb);
    else if (verb === "layers") byId("wireguard").focus();
    else if (verb === "focus" || verb === "wider") this.page.tools.focus(this.page.state.selected?.type === "node" ? this.page.state.selected.id : null, verb === "wider");
    else if (verb === "path" || verb === "without") this.ask(verb);
    else if (verb === "keep") this.keep();
    else if (verb === "arrange" && !byId("tool-arrange").hidden) this.page.arranges();
    else if (verb === "undo" && this.page.arrange.on) this.page.arrange.undo();
    else if (verb === "earlier" || verb === "later") this.page.time.with((time) => time.step(verb === "earlier" ? "previous" : "next"));
    else if (verb === "changes") this.page.announcer.with((announcer) => announcer.chosen(announcer.toggle(this.page.scene)));
    else if (verb === "table") byId("table").click();
  }

  // A key of a question: begins it with what is chosen, then gives it what is chosen now.
  ask(name) {
    const { selected } = this.page.state;
    if (!this.page.state[name] || !this.page.tools.takes(selected)) this.page.tool(name);
  }

  // Keeps what is chosen while the arrows go on; lets it go again.
  keep() {
    const { selected, more } = this.page.state;
    if (!selected || selected.type === MANAGER) return;
    const kept = more.filter(({ id }) => id !== selected.id);
    this.page.state.more = kept.length < more.length ? kept : [...more, selected];
    this.page.showPanel();
    this.page.say(kept.length < more.length ? "No longer kept" : `Kept, ${this.page.state.more.length} so far`);
    this.page.address.remember(true);
    this.page.dirty();
  }

  // What the arrows go to.
  items() {
    const { nodes, bubbles, manager } = this.page.plan;
    return [...nodes, ...bubbles, manager].filter(Boolean);
  }

  // Where the chosen thing stands on the stage; the middle when nothing is chosen.
  anchor() {
    const { selected } = this.page.state;
    const { size } = this.page.painter;
    const drawn = selected && this.items().find((item) => item.id === selected.id);
    if (drawn) return drawn;
    const link = selected && this.page.plan.edges.find((edge) => edge.id === selected.id);
    if (link) return { sx: link.curve.mid[0], sy: link.curve.mid[1] };
    return { sx: size.w / 2, sy: size.h / 2, nothing: true };
  }

  step(direction) {
    const from = this.anchor();
    const items = this.items();
    const nearest = () => items.slice().sort((a, b) => Math.hypot(a.sx - from.sx, a.sy - from.sy) - Math.hypot(b.sx - from.sx, b.sy - from.sy))[0];
    const next = from.nothing ? nearest() : stepTo(items, from, direction);
    if (!next) {
      this.page.say("Nothing further in that direction");
      return;
    }
    this.page.choose({ type: next.node ? "node" : next.id === MANAGER ? MANAGER : "site", id: next.id }, false, this.page.state.more);
    this.keepInSight(next);
  }

  neighbour(by) {
    const { selected } = this.page.state;
    if (selected?.type !== "node") return;
    const around = [...neighbours(this.page.scene, this.hub ?? selected.id)].sort();
    if (!this.hub || !around.includes(selected.id)) this.hub = selected.id;
    const ring = [...neighbours(this.page.scene, this.hub)].sort((a, b) => (nameOf(this.page.scene, a) < nameOf(this.page.scene, b) ? -1 : 1));
    if (ring.length === 0) return;
    const next = ring[(ring.indexOf(selected.id) + by + ring.length) % ring.length];
    this.page.choose({ type: "node", id: next }, false, this.page.state.more);
    const drawn = this.page.plan.nodes.find((node) => node.id === next);
    if (drawn) this.keepInSight(drawn);
    else this.page.sight.zoomTo({ type: "node", id: next });
  }

  keepInSight({ sx, sy }) {
    const { size } = this.page.painter;
    const edge = 50;
    const dx = sx < edge ? sx - edge : sx > size.w - edge ? sx - size.w + edge : 0;
    const dy = sy < edge ? sy - edge : sy > size.h - edge ? sy - size.h + edge : 0;
    const { view } = this.page.sight;
    if (dx || dy) this.page.sight.move({ ...view, x: view.x + dx / view.k, y: view.y + dy / view.k }, true);
  }

  enter() {
    const { selected } = this.page.state;
    if (!selected) return;
    if (selected.type === "site" && this.page.plan.bubbles.some((site) => site.id === selected.id)) this.page.sight.zoomTo(selected);
    else for (const way of ["[data-focus=open]", "a, button:not([data-focus=back])"]) {
      const found = byId("detail").querySelector(way);
      if (found) return found.focus();
    }
  }

  // Adds to what is chosen, or takes it from there.
  add({ type, id }) {
    const { selected, more } = this.page.state;
    const all = [selected, ...more].filter((item) => item && item.type !== MANAGER && type !== MANAGER);
    const rest = all.filter((item) => item.id !== id);
    this.page.choose(rest.length < all.length ? rest[0] ?? null : { type, id }, false, rest.length < all.length ? rest.slice(1) : rest);
  }

  // Chooses everything in a rectangle of the stage.
  box(from, to, done, up) {
    const [x0, x1] = [from.x, to.x].sort((a, b) => a - b);
    const [y0, y1] = [from.y, to.y].sort((a, b) => a - b);
    const box = byId("box");
    box.hidden = done;
    Object.assign(box.style, { left: `${x0}px`, top: `${y0}px`, width: `${x1 - x0}px`, height: `${y1 - y0}px` });
    if (!done || !up || !this.page.plan) return;
    const within = ({ sx, sy }) => sx >= x0 && sx <= x1 && sy >= y0 && sy <= y1;
    const found = [...this.page.plan.nodes.filter(within).map(({ id }) => ({ type: "node", id })), ...this.page.plan.bubbles.filter(within).map(({ id }) => ({ type: "site", id }))];
    if (found.length > 0) this.page.choose(found[0], false, found.slice(1));
  }

  // Goes to what was clicked twice: into a site, to a page, or nearer.
  open(target, x, y) {
    const { scene, sight } = this.page;
    const agent = target?.type === "node" && scene.nodes.get(target.id)?.agent_id;
    if (target?.type === "site") sight.zoomTo(target);
    else if (agent) location.assign(pageOf(scene, "agents", agent));
    else if (target?.type === "edge") location.assign(pageOf(scene, "links", target.id));
    else sight.zoom(x, y, 1.6, true);
  }

  // One level back: what is chosen, then the questions, the search, the filters, the time.
  escape() {
    if (this.page.state.selected) this.page.choose(null);
    else if (this.page.arrange.on) this.page.arrange.toggle();
    else if (this.page.tools.leave()) this.page.say("Back to the map");
    else if (this.page.state.query) this.page.search.with((search) => search.set(""));
    else if (this.page.state.problems) this.page.toggle("problems");
    else if (this.page.legend.clear()) this.page.refilter();
    else if (this.page.scene.past) this.page.travel(null);
  }
}
