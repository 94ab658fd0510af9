// The map's page: holds what is chosen and where the view stands, and passes the word between
// the feed, the plan, the painter and the panels.

import { Address } from "./address.js";
import { Asked } from "./asked.js";
import { byId, getJson } from "./dom.js";
import { iso, plural } from "./format.js";
import { hit } from "./geometry.js";
import { listen } from "./input.js";
import { Later } from "./later.js";
import { Legend, settle } from "./legend.js";
import { only, plan } from "./lod.js";
import { Painter } from "./paint.js";
import { MANAGER, steps } from "./relays.js";
import { bright, neighbours } from "./scene.js";
import { Sight } from "./sight.js";
import { Feed } from "./sse.js";
import { LAYERS, read } from "./url.js";

const LOST_MS = 60000;
// Details and alarms are asked for again at most this often, however many patches come.
const REFRESH_MS = 3000;
const NARROW = 760;
const AFTER_MS = 500;
const COVERS = ["#legend", ".zoom", "#level"];
// Whoever came by a shared link has no account and no settings to make.
const VISITS = document.body.dataset.visit === "true";

class MapPage {
  constructor() {
    this.stage = byId("stage");
    this.scene = null;
    this.state = { ...read(location.search) };
    this.sight = new Sight(this);
    this.address = new Address(this);
    this.found = null;
    this.ages = new Map();
    this.painter = new Painter(this.stage, byId("probe"));
    this.announcer = new Later(async () => new (await import("./a11y.js")).Announcer(this.stage, byId("chosen"), byId("news")));
    this.files = new Later(async () => new (await import("./files.js")).Files(this));
    this.start = new Later(async () => new (await import("./start.js")).Start(byId("last-refused")));
    this.keys = new Later(async () => new (await import("./keys.js")).Keys(this));
    this.legend = new Legend(byId("legend"), () => this.refilter());
    this.legend.pressed = this.state.only;
    this.tools = new Asked(byId("tool"), {
      scene: () => this.scene,
      state: this.state,
      changed: (push) => {
        this.refilter();
        if (push) this.address.remember(true);
      },
      say: (text) => this.say(text),
      choose: (selection, centre) => this.choose(selection, centre),
      arrange: () => this.arrange,
      whole: () => this.whole(),
      loaded: () => {
        this.prune();
        this.tools.ask();
        this.tools.draw();
        this.refilter();
      },
      now: () => this.now(),
      show: (ids) => this.sight.fitted && this.sight.frame([...ids].map((id) => this.scene.nodes.get(id))),
    });
    // Until somebody arranges for the first time.
    this.arrange = { on: false, pins: null, grab: () => false };
    this.panel = new Later(async () => (await import("./panel.js")).panelOf(this));
    this.networks = new Later(async () => (await import("./networks.js")).networksOf(this));
    this.glide = new Later(async () => (await import("./glide.js")).glide);
    this.arranger = new Later(async () => (await import("./arrange.js")).arrangeOf(this));
    this.alarms = new Later(async () => (await import("./alarms.js")).alarmsOf(this));
    this.search = new Later(async () => (await import("./search.js")).searchOf(this));
    this.parts = new Later(async () => (await import("./parts.js")).partsOf(this));
    this.time = new Later(async () => new (await import("./time.js")).TimeStrip(byId("time"), { now: () => this.present(), go: (at) => this.travel(at) }));
    this.narrow = window.matchMedia(`(max-width: ${NARROW}px)`);
    settle(byId("legend"), byId("detail").parentElement, this.narrow);
    this.listen();
    this.feed = this.makeFeed();
    if (this.state.at) this.travel(String(this.state.at));
    else this.feed.start();
  }

  makeFeed() {
    return new Feed({
      fetchPicture: () => this.picture(),
      openStream: () => new EventSource(this.stage.dataset.stream),
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (id) => clearTimeout(id),
      now: () => Date.now() / 1000,
    }, {
      scene: (scene) => this.arrived(scene),
      patch: () => this.patched(),
      layout: (layout) => this.glide.with((glide) => glide(this, layout)),
      status: (status) => this.liveState(status),
      failed: (error) => this.note(`The map could not be loaded: ${error.message}`, "/agents", "Show the table of agents"),
    });
  }

  // The map. One that is too large comes as sites, and one by one what is in them, until something is
  // asked that needs all of it.
  async picture(then = "") {
    this.entire ||= this.tools.asks || this.drawsNets() || this.state.layers.has("relays");
    const found = await getJson(`${this.stage.dataset.topology}?shape=${this.entire ? "columns" : "auto"}${then}`);
    if (found.pairs) return (await this.parts.load()).picture(found, then);
    return found.columns ? (await import("./columns.js")).unfold(found) : found;
  }

  async whole() {
    this.entire = true;
    const { at } = this.state;
    if (this.scene?.part) await (at ? this.travel(String(at)) : this.feed.resync());
  }

  // The time that is shown.
  now() {
    return this.scene?.past?.at ?? this.present();
  }

  // The time whose state is shown: of a lost stream, when it last spoke.
  asOf() {
    return this.scene.past?.at ?? this.heard ?? this.present();
  }

  present() {
    return Date.now() / 1000 + (this.feed?.clockOffset ?? 0);
  }

  listen() {
    listen(this.stage, {
      pan: (dx, dy) => this.sight.pan(dx, dy),
      zoom: (x, y, factor) => this.sight.zoom(x, y, factor),
      rest: () => this.rested(),
      tap: (x, y, slack, add) => this.plan && this.tap(hit(this.plan, x, y, slack), add),
      box: (...what) => this.keys.with((keys) => keys.box(...what)),
      grab: (x, y) => this.arrange.grab(x, y),
      carry: (x, y, done, up) => this.arrange.carry(x, y, done, up),
      open: (x, y) => this.keys.with((keys) => keys.open(this.plan && hit(this.plan, x, y, 0), x, y)),
      hover: (x, y) => this.stage.classList.toggle("over", Boolean(this.plan && hit(this.plan, x, y, 0))),
      key: (verb, shift) => this.keys.with((keys) => keys.key(verb, shift)),
    });
    const on = (id, run) => byId(id).addEventListener("click", run);
    on("zoom-in", () => this.sight.zoomBy(1.4));
    on("zoom-out", () => this.sight.zoomBy(1 / 1.4));
    on("zoom-fit", () => this.sight.fit());
    for (const what of ["problems", "hide", ...LAYERS]) on(what, () => this.toggle(what));
    on("tool-path", () => this.tool("path"));
    on("tool-without", () => this.tool("without"));
    on("tool-arrange", () => this.arranges());
    byId("anon").checked = this.state.anon;
    byId("anon").addEventListener("change", () => {
      this.state.anon = byId("anon").checked;
      this.address.remember(false);
    });
    on("keys", () => byId("help").showModal());
    on("help-close", () => byId("help").close());
    byId("bar").lastElementChild.addEventListener("click", (event) => {
      if (!this.state.at) return;
      event.preventDefault();
      this.travel(null);
    });
    new ResizeObserver(() => this.resized()).observe(this.stage.parentElement);
    document.addEventListener("kattila:theme", () => {
      this.painter.readPalette();
      this.dirty();
    });
    document.addEventListener("visibilitychange", () => {
      this.feed.visibility(document.hidden);
      if (!document.hidden) this.dirty();
    });
    this.stage.addEventListener("focus", () => this.dirty());
    this.stage.addEventListener("blur", () => this.dirty());
    setInterval(() => {
      if (document.hidden) return;
      this.panel.with((panel) => panel.refresh());
      if (this.drawsNets()) this.networks.with((networks) => networks.ask(true));
    }, REFRESH_MS * 10);
  }

  // ---- other times

  // Shows the network as it was then; null goes back to the present.
  travel(at) {
    this.wish = at;
    return import("./time.js").then(({ travel }) => travel(this, at), () => this.note("Other times could not be loaded.", "/map", "Back to live"));
  }

  // ---- what the feed brings

  arrived(scene) {
    const first = this.scene === null;
    const { past } = scene;
    const travelled = first || this.scene.past !== past;
    // Until they are asked for anew, the networks are those that were known.
    if (!first && !past) scene.led = this.scene.led;
    this.scene = scene;
    if (this.drawsNets()) {
      this.networks.with((networks) => {
        networks.tell();
        networks.ask(true);
      });
    }
    byId("time").classList.toggle("past", past !== null);
    byId("alarms").hidden = past !== null;
    // The arrangement is one for all fleets.
    const arranges = document.body.dataset.canAct === "true" && document.body.dataset.whole === "true";
    byId("tool-arrange").hidden = past !== null || !arranges;
    if (past && this.arrange.on) this.arrange.toggle();
    if (travelled) {
      this.panel.with((panel) => {
        panel.key = null;
      });
      this.time.with((time) => time.show(past));
    }
    this.pressed();
    if (first && !this.wish) this.note(null);
    if (first || travelled) this.search.with((search) => search.set(this.state.query));
    if (first) this.complete();
    this.prune();
    this.tools.ask();
    this.patched();
    if (first && !this.sight.view) this.sight.fit(true);
    // What most people want next is fetched once the map is drawn.
    if (first) setTimeout(() => this.panel.load().then((panel) => panel.load()).catch(() => {}), AFTER_MS);
    const asked = this.state.path ?? this.state.without ?? this.state.focus;
    if (first && this.state.selected && !this.state.view && !asked) this.sight.zoomTo(this.state.selected);
  }

  // Names of things that are not there are left out of the address, and that is said.
  prune() {
    const { scene, state } = this;
    const there = ({ type, id }) => ({ node: scene.nodes, edge: scene.edges, site: scene.sites, net: this.networks.part?.all(scene), manager: new Map([[MANAGER]]) })[type].has(id);
    const all = [state.selected, ...state.more].filter(Boolean);
    // Whether a prefix is there is not known before the networks are.
    if (scene.part?.lacks(all, () => this.prune())) return;
    const waits = ({ type }) => type === "net" && (!this.networks.part || (!scene.past && !scene.led));
    const known = all.filter((item) => waits(item) || there(item));
    [state.selected = null, ...state.more] = known;
    const unknown = all.length - known.length + this.tools.prune();
    if (unknown === 0) return;
    this.note(`${plural(unknown, "thing")} that the address names ${unknown === 1 ? "is" : "are"} not on this map and left out.`, this.address.text() || "/map", "Go on without");
    clearTimeout(this.pruned);
    this.pruned = setTimeout(() => {
      this.pruned = null;
      if (!this.wish) this.note(null);
    }, LOST_MS / 4);
  }

  patched() {
    const { scene } = this;
    scene.part?.settle(scene);
    const newcomer = () => this.scene.nodes.size === 0 && !this.scene.past;
    byId("empty").hidden = !newcomer();
    this.stage.hidden = newcomer();
    // Nobody has reported yet: tells why the last report was refused.
    if (newcomer() && !VISITS) this.start.with((start) => start.watch(newcomer));
    // Whoever looks at the whole map goes on doing so while it grows.
    const restructured = scene.lists === null;
    if (scene.nodes.size > 0 && (!this.sight.view || (this.sight.fitted && restructured))) this.sight.fit(!this.sight.view);
    this.all = this.legend.update(scene);
    this.networks.part?.tell();
    if (!scene.past) this.announcer.with((announcer) => announcer.changed(scene));
    this.showPanel();
    this.tools.draw();
    this.refreshing ??= setTimeout(() => {
      this.refreshing = null;
      if (this.scene.past) return;
      this.panel.with((panel) => panel.refresh());
      this.alarms.with((alarms) => alarms.refresh());
      this.tools.ask(true);
      if (this.state.query) this.search.with((search) => search.ask(false));
    }, REFRESH_MS);
    this.refilter();
  }

  liveState({ state, since }) {
    const line = byId("live-state");
    const at = since ? iso(since).slice(11, 19) : "";
    line.className = `live live-${state}`;
    line.textContent = { live: "Live", lost: `Reconnecting, data from ${at}`, hidden: "Paused", past: "Past", "signed-out": "Signed out" }[state];
    this.heard = state === "live" || state === "past" ? null : since ?? this.heard;
    clearTimeout(this.lost);
    if ((state === "live" || state === "hidden") && !this.wish && !this.pruned && !this.noMatch) this.note(null);
    if (state === "signed-out") this.note(`Your ${VISITS ? "link" : "session"} has ended; the map no longer changes.`, "/login", VISITS ? "Sign in" : "Sign in again");
    if (state === "lost") this.lost = setTimeout(() => this.note(`No connection to the manager. This is the network as it was at ${at}.`), LOST_MS);
  }

  note(text, href = null, label = null) {
    const bar = byId("bar");
    bar.hidden = !text;
    bar.firstElementChild.textContent = text ?? "";
    bar.lastElementChild.hidden = !href;
    if (href) {
      bar.lastElementChild.href = href;
      bar.lastElementChild.textContent = label;
    }
  }

  // ---- what is bright and what is chosen

  refilter() {
    if (!this.scene) return;
    this.state.only = this.legend.pressed;
    this.bright = bright(this.scene, { filter: this.legend.filter, found: this.found, problems: this.state.problems, within: this.tools.within() });
    byId("hide").hidden = !this.bright && !this.state.hide;
    this.dirty();
    this.address.remember(false);
  }

  // Switches "problems", "hide" or a layer.
  toggle(what) {
    const { layers } = this.state;
    if (!LAYERS.includes(what)) this.state[what] = !this.state[what];
    else if (!layers.delete(what)) layers.add(what);
    this.pressed();
    if (this.scene) this.legend.update(this.scene);
    this.refilter();
    // The manager stands above the sites.
    if (what === "relays" && this.sight.fitted) this.sight.fit();
    if (!this.scene || !LAYERS.includes(what)) return;
    const on = layers.has(what);
    if (on && what !== "wireguard") this.whole();
    if (what === "subnets" && on) {
      this.networks.with((networks) => networks.begin());
      return;
    }
    const words = {
      wireguard: `WireGuard links ${on ? "shown" : "left out"}`,
      relays: on ? `Relay paths: ${plural(steps(this.scene).length, "step")}` : "No relay paths",
      subnets: "No subnets",
    };
    this.say(words[what]);
  }

  // Whether networks are drawn or one is chosen.
  drawsNets() {
    const { layers, selected, more } = this.state;
    return layers.has("subnets") || [selected, ...more].some((item) => item?.type === "net");
  }

  pressed() {
    const { problems, hide, layers } = this.state;
    for (const [what, on] of Object.entries({ problems, hide, ...Object.fromEntries(LAYERS.map((name) => [name, layers.has(name)])) })) byId(what).setAttribute("aria-pressed", String(on));
    byId("paths").hidden = !layers.has("relays");
    byId("nets").hidden = !layers.has("subnets");
  }

  tap(target, add) {
    if (target && this.tools.takes(target)) return;
    if (add && target) this.keys.with((keys) => keys.add(target));
    else this.choose(target);
  }

  // Begins a question with what is chosen; ends it if it is open.
  tool(name) {
    if (!this.scene) return;
    const { selected, more } = this.state;
    const nodes = [selected, ...more].filter((item) => item?.type === "node").map(({ id }) => id);
    if (this.state[name]) this.tools.end(name);
    else if (name === "path") nodes.slice(0, 2).concat(nodes.length === 0 ? [null] : []).forEach((id) => this.tools.path(id));
    else this.tools.without([selected, ...more].filter((item) => ["node", "edge"].includes(item?.type)).map(({ id }) => id));
  }

  showPanel() {
    const { scene, state: { selected, more } } = this;
    this.panel.with((panel) => panel.show(scene, selected, more));
  }

  // Tells those who do not see it: a text, or what is chosen, after some words.
  say(text) {
    this.announcer.with((announcer) => announcer.chosen(text));
  }

  describe(before = "") {
    const { scene, state: { selected, more } } = this;
    this.announcer.with((announcer) => announcer.chosen(before + announcer.describe(scene, selected, more)));
  }

  choose(selection, centre = false, more = []) {
    if (!this.scene || this.scene.part?.lacks([selection, ...more], () => this.choose(selection, centre, more))) return;
    this.state.selected = selection && { type: selection.type, id: selection.id };
    this.state.more = more;
    this.ages = new Map();
    this.showPanel();
    this.describe();
    this.address.remember(true);
    if (centre) this.sight.zoomTo(this.state.selected);
    this.dirty();
  }

  // ---- what is loaded when somebody wants it

  // Turns arranging on or off; its controls stand where questions do.
  async arranges() {
    await this.tools.load();
    this.arrange = await this.arranger.load();
    this.arrange.toggle();
  }

  // What nobody waits for to see the picture: it comes once that is on its way.
  async complete() {
    this.alarms.with((alarms) => alarms.refresh());
    const parts = [this.panel, this.alarms, this.time, this.search, this.announcer, this.keys, this.files];
    await Promise.all(parts.map((part) => part.load().catch(() => {})));
    this.stage.dataset.complete = "true";
  }

  // ---- the view

  // The view has come to rest.
  rested() {
    this.dirty();
    this.address.remember(false);
  }

  resized() {
    const box = this.stage.parentElement.getBoundingClientRect();
    if (box.width < 10 || box.height < 10) return;
    this.painter.resize(box.width, box.height);
    if (this.sight.fitted) this.sight.fit(true);
    else this.dirty();
  }

  // `cheap` frames may show the shifted bitmap; the others draw anew.
  dirty(cheap = false) {
    if (!cheap) this.stale = true;
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      try {
        this.draw();
      } catch (error) {
        import("./rescue.js").then(({ rescue }) => rescue(error.message));
      }
    });
  }

  draw() {
    if (!this.scene || !this.sight.view || document.hidden || this.painter.size.w < 10) return;
    if (!this.stale && this.painter.blit(this.sight.view)) return;
    this.stale = false;
    this.plan = this.planned(this.painter.margin);
    this.scene.part?.want(this.plan);
    this.painter.paint(this.plan, this.sight.view, this.marks());
    this.tellStage();
  }

  // What is to be drawn, with so many pixels around the stage.
  planned(margin) {
    const { state: { layers, hide }, painter } = this;
    const wanted = { wireguard: layers.has("wireguard"), subnets: layers.has("subnets") && painter.nets?.nets, relays: layers.has("relays") };
    const all = plan(this.scene, this.sight.view, painter.size, margin, wanted, this.tools.legs);
    return hide && this.bright ? only(all, this.bright) : all;
  }

  // How it is marked.
  marks() {
    const { scene, bright, ages, state: { selected, more } } = this;
    const link = selected?.type === "edge" && scene.edges.get(selected.id);
    const near = selected?.type === "node" ? neighbours(scene, selected.id) : link ? new Set([link.source, link.target]) : null;
    return { bright, selected, more, near, ages, loss: this.loss(), pins: this.arrange.pins, covers: this.covers(), focused: document.activeElement === this.stage };
  }

  // What stands over the stage, so that no name is hidden there.
  covers() {
    const from = this.stage.getBoundingClientRect();
    return COVERS.map((what) => this.stage.parentElement.querySelector(what)).filter(Boolean).map((what) => what.getBoundingClientRect()).map(({ x, y, width: w, height: h }) => ({ owner: "cover", x: x - from.x, y: y - from.y, w, h }));
  }

  // What is marked as lost: by a question, or with what is chosen.
  loss() {
    return this.tools.loss ?? this.panel.part?.marks ?? null;
  }

  // What is drawn, for people (the small line) and for tests (data attributes).
  tellStage() {
    const { level, shown, edges, bubbles, relays, legs, nets } = this.plan;
    const loss = this.loss();
    byId("losses").hidden = !loss || (!this.tools.loss && loss.lost.size === 0);
    const { all } = this;
    const words = { sites: `${plural(bubbles.length, "site")}, ${plural(all, "node")}`, agents: `Agents, ${shown} of ${all} shown`, interfaces: `Interfaces, ${shown} of ${all} shown` };
    byId("level").textContent = words[level];
    Object.assign(this.stage.dataset, { drawnNodes: shown, drawnEdges: edges.length, drawnSites: bubbles.length, drawnRelays: relays.length, drawnLegs: legs.length, drawnNets: nets.length, lost: loss ? loss.lost.size : "", level, at: this.state.at ?? "", seq: this.scene.seq, epoch: this.scene.epoch, selected: this.state.selected?.id ?? "" });
  }
}

// Tells rescue.js, which puts a table where there is no map.
new MapPage().stage.dataset.begun = "true";
