// The side panel: the fleet, or what is chosen. How that is shown is loaded when something is chosen
// for the first time.

import { byId, fill, getJson, h } from "./dom.js";
import { ago, iso, plural, span } from "./format.js";
import { counts, edgesOf, endOf, isBadEdge, look, worstFirst } from "./scene.js";
import { CHIP_MARK, EDGE_CHIP, EDGE_WORDS, NODE_CHIP, NODE_WORDS } from "./words.js";

export const chip = (kind, text) => h("span", { class: `chip chip-${kind}` }, `${CHIP_MARK[kind]} ${text}`);

export const nodeChip = (node) => chip(NODE_CHIP[look(node)], NODE_WORDS[look(node)]);

export const edgeChip = (edge) => chip(EDGE_CHIP[edge.state], EDGE_WORDS[edge.state]);

// page.js keeps counting.
export const time = (then, now, past) => (then ? h("time", { datetime: iso(then), title: iso(then), "data-age": past ? null : then }, ago(then, now)) : "never");

// How long an agent has been silent. One that reports is not: its patches tell of changes only,
// so its last report is younger than the map knows.
export const silence = (node, now) => (["late", "down"].includes(look(node)) && node.seen_at ? time(node.seen_at, now) : "");

export const code = (text) => h("code", {}, text);

export const MANY = 14;

export class Panel {
  // `verbs`: now(), choose(selection), zoomTo(selection), filter(looks), focus(node), site(id), path(from, to), without(ids),
  // frame(ids), marked(): what of the stage is marked may have changed
  constructor(root, verbs) {
    this.root = root;
    this.verbs = verbs;
    this.details = null;
    this.outage = null;
  }

  // Draws anew; details of the chosen thing are fetched once and kept while it stays chosen.
  show(scene, selected, more = []) {
    const key = [selected, ...more].filter(Boolean).map(({ type, id }) => `${type} ${id}`).join("\n");
    if (key !== this.key) {
      this.key = key;
      this.details = null;
      this.failure = null;
      this.outage = null;
      this.root.scrollTop = 0;
      if (selected && more.length === 0) this.fetch(scene, selected, key);
    }
    this.last = [scene, selected, more];
    this.draw();
  }

  draw() {
    if (!this.last) return;
    // A redraw must not pull a button away between press and release.
    if (this.root.matches(":active")) {
      setTimeout(() => this.draw(), 300);
      return;
    }
    const [scene, selected, more] = this.last;
    // Nor may it throw the keyboard off the button it stands on.
    const focus = this.root.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    if (selected && !this.parts) {
      this.load().then(() => this.draw(), () => fill(this.root, this.back(), h("p", { class: "notice", role: "alert" }, "The details could not be loaded; reload the page.")));
      return;
    }
    fill(this.root, selected ? this.parts.show(this, scene, selected, more) : this.fleet(scene));
    if (focus) this.root.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
  }

  async load() {
    this.parts ??= await import("./details.js");
    return this.parts;
  }

  // The details are those of now; of the past, what the reports of the time said.
  async fetch(scene, { type, id }, key) {
    if (type === "manager" || (scene.past && type === "net")) return;
    const agent = type === "node" ? scene.nodes.get(id)?.agent_id : null;
    const parts = await this.load().catch(() => null);
    if (!parts) return;
    const { said, carriersOf } = parts;
    const load = scene.past ? () => said(scene, type, id) : type === "net" ? () => carriersOf(id) : null;
    const url = type === "edge" ? `/api/v1/edges/${encodeURIComponent(id)}` : agent ? `/api/v1/agents/${encodeURIComponent(agent)}` : null;
    if (!url && !load) return;
    const [details, failure] = await (load?.() ?? getJson(url)).then((found) => [found, null], (error) => [null, error.message]);
    if (this.key !== key) return;
    [this.details, this.failure] = [details, failure];
    this.draw();
    if (!scene.past) this.verbs.aged(this.ages());
  }

  // Fetched again after a change, so that ages and counters do not grow old beside a live map.
  refresh() {
    const [scene, selected, more] = this.last ?? [];
    if (selected && more.length === 0 && !scene.past) this.fetch(scene, selected, this.key);
  }

  // What is marked on the stage while a dead thing is chosen: whom it cut off.
  get marks() {
    return this.outage?.marks ?? null;
  }

  // Handshake ages of the chosen agent's links, on that host's own clock: "edge/end" -> text.
  ages() {
    const ages = new Map();
    const [scene, selected] = this.last;
    for (const peer of this.details?.peers ?? []) {
      const edge = scene.edges.get(peer.edge_id);
      if (edge) ages.set(`${edge.id}/${endOf(edge, selected.id)}`, this.age(peer.latest_handshake));
    }
    return ages;
  }

  age(handshake) {
    if (handshake === undefined || handshake === null) return "—";
    return handshake === 0 ? "never" : span(this.verbs.now() + (this.details?.clock_offset ?? 0) - handshake);
  }

  button(label, run, focus = label) {
    return h("button", { type: "button", class: "button small", "data-focus": focus, onclick: run }, label);
  }

  choose(type, id, text) {
    return h("button", { type: "button", class: "link", "data-focus": `${type} ${id}`, onclick: () => this.verbs.choose({ type, id }) }, text);
  }

  back() {
    return h("p", { class: "crumb" }, h("button", { type: "button", class: "link", "data-focus": "back", onclick: () => this.verbs.choose(null) }, "‹ Fleet"));
  }

  trouble() {
    return this.failure && h("p", { class: "notice", role: "status" }, `Details are missing: ${this.failure}`);
  }

  // What is wrong with a node besides its state.
  wrong(scene, node) {
    const links = edgesOf(scene, node.id);
    const bad = links.filter(isBadEdge).length;
    return [bad > 0 && `${bad} of ${plural(links.length, "link")} in trouble`, node.alarms > 0 && plural(node.alarms, "alarm")].filter(Boolean).join(", ") || (scene.sites.get(node.site)?.label ?? "");
  }

  fleet(scene) {
    const now = this.verbs.now();
    const { nodes, edges, agents, links } = counts(scene);
    const { worst, all } = worstFirst(scene, MANY);
    const looks = [["down", "down"], ["late", "late"], ["pending", "waiting for approval"], ["up", "reporting"], ["none", "no agent"]];
    const quiet = [edges.idle && `${edges.idle} idle`, edges.unknown && `${edges.unknown} unknown`].filter(Boolean);
    const bad = edges.down + edges.one_way + edges.half_configured;
    return [
      h("h2", {}, "Fleet"),
      h("p", { class: "muted" }, `${plural(agents, "agent")}, ${plural(scene.sites.size, "site")}, ${plural(links, "WireGuard link")}`),
      h("p", { class: "chips" }, looks.filter(([name]) => nodes[name] > 0).map(([name, word]) =>
        h("button", { type: "button", class: `chip chip-${NODE_CHIP[name]}`, "data-focus": `chip ${name}`, onclick: () => this.verbs.filter(name) }, `${nodes[name].toLocaleString("en")} ${word}`))),
      h("p", {}, bad > 0 ? `${plural(bad, "link")} in trouble` : "No link is in trouble", quiet.length > 0 ? `; ${quiet.join(", ")}.` : "."),
      scene.past && h("p", {}, h("a", { href: `/changes?from=${scene.past.at}` }, "What changed since")),
      h("h3", {}, "Needs attention"),
      worst.length === 0 ? h("p", { class: "muted" }, agents === 0 ? "No agent yet." : "Nothing. Every agent reports and no alarm is open on one.")
        : h("ul", { class: "list" }, worst.map((node) => h("li", {},
          nodeChip(node),
          h("span", { class: "grow" }, this.choose("node", node.id, node.label)),
          h("span", { class: "age" }, silence(node, now)),
          h("span", { class: "muted rest" }, this.wrong(scene, node))))),
      all > MANY && h("p", {}, h("a", { href: "/agents" }, `All agents, worst first; ${all - MANY} more need attention`)),
    ];
  }
}

// The panel of the map's page.
export const panelOf = (page) => new Panel(byId("detail"), {
  now: () => page.now(),
  choose: (selection) => page.choose(selection),
  zoomTo: (selection) => page.sight.zoomTo(selection),
  filter: (name) => page.legend.only(name),
  focus: (id) => page.tools.focus(id, false),
  without: (ids) => page.tools.without(ids),
  site: (id) => page.tools.site(id),
  path: (from, to) => {
    page.tools.path(from);
    if (to) page.tools.path(to);
  },
  frame: (ids) => page.sight.frame(ids.map((id) => page.scene.nodes.get(id)).filter(Boolean)),
  marked: () => page.dirty(),
  aged: (ages) => {
    page.ages = ages;
    page.dirty();
  },
});
