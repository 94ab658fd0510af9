// The questions that are put to the map: the neighbourhood of a node, one site, the way between two ends,
// what would be lost without something. Each is a part of the panel, and marks on the stage.

import { fill, getJson, h } from "./dom.js";
import { plural } from "./format.js";
import { chip } from "./panel.js";
import { around, chain, component, inside } from "./reach.js";
import { nameOf } from "./scene.js";
import { MOST_HOPS } from "./url.js";
import { EDGE_CHIP, EDGE_WORDS } from "./words.js";

const MANY = 12;
const ENDS = { delivered: ["up", "Arrives"], left: ["stale", "Leaves what is known"], stopped: ["down", "Stops"], unknown: ["late", "Not known"] };

// The node that a text means: its id, its agent's id or its name; null if none does.
export function meant(scene, text) {
  if (scene.nodes.has(text)) return text;
  if (scene.nodes.has(`a:${text}`)) return `a:${text}`;
  const named = [...scene.nodes.values()].filter(({ label }) => label.toLowerCase() === text.toLowerCase());
  return named.length === 1 ? named[0].id : null;
}

// The legs of a journey, {from, to, edge}: between the hosts it comes to, and to the peer without
// an agent that it leaves for.
export function legsOf(scene, { hops }) {
  const legs = [];
  hops.forEach((hop, i) => {
    const from = `a:${hop.agent_id}`;
    const link = scene.edges.get(hop.edge_id);
    const next = hops[i + 1];
    const to = next ? `a:${next.agent_id}` : link && (link.source === from ? link.target : link.source);
    if (to && scene.nodes.has(from) && scene.nodes.has(to)) legs.push({ from, to, edge: link ? hop.edge_id : null });
  });
  return legs;
}

// The same of a chain of links.
export function legsAlong(scene, from, links) {
  let at = from;
  return links.map((id) => {
    const { source, target } = scene.edges.get(id);
    const leg = { from: at, to: source === at ? target : source, edge: id };
    at = leg.to;
    return leg;
  });
}

// What is marked for an answer of /api/v1/what-if.
export function marksOf(taken, loss) {
  const ids = (things) => new Set(things.map(({ id }) => id));
  return {
    gone: { nodes: new Set(taken), edges: new Set(taken) },
    lost: ids((loss?.cut_off ?? []).flatMap(({ nodes }) => nodes)),
    reports: ids(loss?.reports_lost ?? []),
    weakNodes: ids(loss?.weak_nodes ?? []),
    weakLinks: ids(loss?.weak_links ?? []),
  };
}

export class Tools {
  // `verbs`: scene(), state (focus, site, path, without), changed(push), say(text),
  // choose(selection, centre), show(nodes), arrange(), now()
  constructor(root, verbs) {
    this.root = root;
    this.verbs = verbs;
    this.answers = {};
    if (this.state.site) verbs.show(inside(this.scene, this.state.site).nodes);
  }

  get state() {
    return this.verbs.state;
  }

  get scene() {
    return this.verbs.scene();
  }

  // ---- what the stage shows of it

  get legs() {
    return this.state.path ? this.answers.path?.legs ?? [] : [];
  }

  get loss() {
    return this.state.without ? marksOf(this.state.without, this.answers.without?.loss) : null;
  }

  // Sets that what stays bright must be in.
  within() {
    const parts = [];
    const { focus, site } = this.state;
    if (focus) parts.push(around(this.scene, focus.id, focus.hops));
    if (site) parts.push(inside(this.scene, site));
    if (this.legs.length > 0) {
      const nodes = new Set(this.legs.flatMap(({ from, to }) => [from, to]));
      parts.push({ nodes, edges: new Set(this.legs.map(({ edge }) => edge)) });
    }
    return parts;
  }

  // ---- acts

  // The neighbourhood of a node: one link wide, then wider, then none.
  focus(id, wider) {
    const before = this.state.focus;
    const same = before && (before.id === id || !id);
    if (!id && !before) {
      this.verbs.say("Choose an agent first");
      return;
    }
    this.state.focus = same && !wider ? null : { id: id ?? before.id, hops: same ? Math.min(MOST_HOPS, before.hops + 1) : 1 };
    this.changed();
    const { focus } = this.state;
    this.verbs.say(focus ? `${plural(around(this.scene, focus.id, focus.hops).nodes.size, "node")} within ${plural(focus.hops, "link")} of ${nameOf(this.scene, focus.id)}` : "Everything is shown again");
  }

  // One site; all of them if it is that one already.
  site(id) {
    this.state.site = this.state.site === id ? null : id;
    this.changed();
    this.verbs.say(this.state.site ? `Only site ${this.scene.sites.get(id).label}: ${plural(inside(this.scene, id).nodes.size, "node")}` : "Everything is shown again");
  }

  // Begins a way at a node, or ends it there.
  path(id) {
    const now = this.state.path;
    if (now?.from && !now.to && id && id !== now.from) now.to = id;
    else this.state.path = { from: id ?? "", to: "" };
    this.state.without = null;
    this.changed();
    if (!id) this.root.querySelector("input")?.focus();
    else if (!this.state.path.to) this.verbs.say(`Path from ${nameOf(this.scene, id)}: choose where it is to go`);
  }

  // Begins to take things away, or takes away or puts back one.
  without(ids) {
    const taken = new Set(this.state.without ?? []);
    for (const id of ids) taken[this.state.without && taken.has(id) ? "delete" : "add"](id);
    this.state.without = [...taken];
    this.state.path = null;
    this.changed();
  }

  // Whether a thing that was tapped is for a question rather than to be looked at.
  takes(target) {
    const { path, without } = this.state;
    if (target?.type === "node" && path && !(path.from && path.to)) {
      this.path(target.id);
      return true;
    }
    if (without && ["node", "edge"].includes(target?.type)) this.without([target.id]);
    return false;
  }

  // Ends the last question; whether there was one.
  leave() {
    const { state } = this;
    const open = ["path", "without", "focus", "site"].find((name) => state[name]);
    if (open) this.end(open);
    return Boolean(open);
  }

  end(name) {
    this.state[name] = null;
    this.changed();
  }

  changed() {
    this.ask();
    this.draw();
    this.verbs.changed(true);
  }

  // ---- answers

  // Asks what is not answered yet, and again what may have changed.
  ask(again = false) {
    const { path, without, at } = this.state;
    this.fetch("path", path?.from && path.to ? JSON.stringify([path, at]) : null, () => this.findWay(path), again);
    this.fetch("without", without ? JSON.stringify([without, at]) : null, () => this.findLoss(without), again);
  }

  async fetch(name, key, find, again) {
    const known = this.answers[name];
    if (!key) {
      delete this.answers[name];
      return;
    }
    if (known?.key === key && !again) return;
    const mine = { key };
    if (known?.key !== key) this.answers[name] = mine;
    const found = await find().catch((error) => ({ problem: error.detail ?? error.message }));
    // Only the answer to the last question counts.
    if (this.answers[name]?.key !== key) return;
    const first = this.answers[name] === mine;
    this.answers[name] = { key, ...found };
    this.draw();
    this.verbs.changed(false);
    if (first && name === "path" && this.legs.length > 0) this.verbs.show(new Set(this.legs.flatMap(({ from, to }) => [from, to])));
    if (first) this.verbs.say(this.answers[name].problem ?? this.answers[name].said);
  }

  async findWay({ from, to }) {
    const { scene } = this;
    const [a, b] = [meant(scene, from), meant(scene, to)];
    // A peer without an agent is named by the address that others know it by.
    const named = (id, text) => (id === null ? text : scene.nodes.get(id).agent_id ?? scene.nodes.get(id).addresses[0]?.split("/")[0] ?? text);
    const links = a && b ? chain(scene, a, b) : null;
    const along = links && { legs: legsAlong(scene, a, links), links };
    if (scene.past) {
      if (!a || !b) return { problem: "Of the past only links are known, no routes: give two agents." };
      return { ...this.byLinks(a, b, along), past: true };
    }
    const answer = await getJson(`/api/v1/path?${new URLSearchParams({ from: named(a, from), to: named(b, to) })}`);
    const { outcome, reason, hops } = answer.there;
    const legs = legsOf(scene, answer.there);
    const said = `${ENDS[outcome][1]}, ${plural(hops.length, "host")}: ${hops.map(({ label }) => label).join(", ")}. ${reason}`;
    return { answer, legs, said, ...(a && b && outcome !== "delivered" && { other: this.byLinks(a, b, along) }) };
  }

  byLinks(a, b, along) {
    const { scene } = this;
    if (along) return { ...along, said: `By links, ${plural(along.links.length, "step")}: ${[a, ...along.legs.map(({ to }) => to)].map((id) => nameOf(scene, id)).join(", ")}` };
    // A part is named by where it is.
    const part = (id) => {
      const nodes = component(scene, id);
      const sites = [...new Set([...nodes].map((node) => scene.sites.get(scene.nodes.get(node).site)?.label).filter(Boolean))].sort();
      return `${nameOf(scene, id)} with ${plural(nodes.size - 1, "other")} (${sites.slice(0, 3).join(", ")}${sites.length > 3 ? " and more" : ""})`;
    };
    return { legs: [], said: `No chain of working links leads there: ${part(a)} and ${part(b)} are apart.` };
  }

  async findLoss(without) {
    const { at } = this.state;
    const then = at ? `&at=${at}` : "";
    if (without.length === 0) return { weakest: await getJson(`/api/v1/weak-points?limit=${MANY}${then}`), said: "Choose what to take away" };
    const loss = await getJson(`/api/v1/what-if?without=${encodeURIComponent(without.join())}${then}`);
    const cut = loss.cut_off.reduce((sum, { nodes }) => sum + nodes.length, 0);
    const said = [`Without ${plural(without.length, "thing")}: ${plural(cut, "node")} cut off`, `${plural(loss.reports_lost.length, "agent")} must find another way for reports`, `${plural(loss.weak_nodes.length + loss.weak_links.length, "new single point")} of failure`].join(", ");
    return { loss, cut, said };
  }

  // ---- the part of the panel

  draw() {
    const { focus, site, path, without } = this.state;
    if (!this.scene) return;
    if (this.root.matches(":active")) {
      setTimeout(() => this.draw(), 300);
      return;
    }
    const active = this.root.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    // What is being typed is not thrown away.
    const typed = [...this.root.querySelectorAll("input")].map((input) => [input.name, input.value]);
    const arrange = this.verbs.arrange();
    const close = () => this.head("Arrange", () => arrange.toggle());
    fill(this.root, arrange.on && arrange.part(this.verbs.now(), this.button, close()), focus && this.focusPart(focus), site && this.sitePart(site), path && this.pathPart(path), without && this.lossPart(without));
    this.root.hidden = !(focus || site || path || without || arrange.on);
    if (active) this.root.querySelector(`[data-focus="${CSS.escape(active)}"]`)?.focus();
    if (active?.startsWith("end ")) for (const [name, value] of typed) this.root.querySelector(`input[name="${name}"]`)?.setAttribute("value", value);
    for (const [name, on] of [["path", path], ["without", without], ["arrange", arrange.on]]) document.getElementById(`tool-${name}`).setAttribute("aria-pressed", String(Boolean(on)));
  }

  button(text, run, more = {}) {
    return h("button", { type: "button", class: "button", "data-focus": text, onclick: run, ...more }, text);
  }

  name(id) {
    const type = this.scene.nodes.has(id) ? "node" : "edge";
    const edge = this.scene.edges.get(id);
    const text = edge ? `${nameOf(this.scene, edge.source)} ⇄ ${nameOf(this.scene, edge.target)}` : nameOf(this.scene, id);
    return h("button", { type: "button", class: "link", "data-focus": `name ${id}`, onclick: () => this.verbs.choose({ type, id }, true) }, text);
  }

  head(text, close) {
    return h("h2", {}, text, h("button", { type: "button", class: "icon", "aria-label": `Close: ${text}`, "data-focus": `close ${text}`, onclick: close }, "×"));
  }

  focusPart({ id, hops }) {
    const { nodes, edges } = around(this.scene, id, hops);
    const width = (n) => this.button(String(n), () => {
      this.state.focus = { id, hops: n };
      this.changed();
    }, { "aria-pressed": String(n === hops), "aria-label": `${plural(n, "link")} wide` });
    return h("div", {}, this.head("Neighbourhood", () => this.end("focus")),
      h("p", {}, "Of ", this.name(id), `: ${plural(nodes.size, "node")}, ${plural(edges.size, "link")}.`),
      h("p", { class: "actions" }, "Links wide: ", h("span", { class: "segment" }, Array.from({ length: MOST_HOPS }, (_, i) => width(i + 1)))));
  }

  sitePart(id) {
    const { nodes, edges } = inside(this.scene, id);
    return h("div", {}, this.head("One site", () => this.end("site")), h("p", {}, `Only ${this.scene.sites.get(id)?.label ?? id}: ${plural(nodes.size, "node")}, ${plural(edges.size, "link")} among them.`));
  }

  pathPart(path) {
    const { scene } = this;
    const found = this.answers.path;
    const input = (name, label, placeholder) => h("label", {}, label, h("input", { type: "text", name, value: scene.nodes.get(path[name])?.label ?? path[name], placeholder, autocomplete: "off", spellcheck: "false", "data-focus": `end ${name}` }));
    const form = h("form", {
      class: "ends-form",
      onsubmit: (event) => {
        event.preventDefault();
        const [from, to] = ["from", "to"].map((name) => form.elements[name].value.trim()).map((text) => meant(scene, text) ?? text);
        this.state.path = { from, to };
        this.changed();
      },
    }, input("from", "From", "Agent"), input("to", "To", "Agent or address"), h("button", { class: "button", "data-focus": "find" }, "Find"));
    const back = found?.answer?.back;
    return h("div", {}, this.head("Path", () => this.end("path")), form,
      !(path.from && path.to) && h("p", { class: "muted" }, path.from ? "Choose on the map where it is to go, or write an address." : "Choose on the map where it begins."),
      found?.problem && h("p", { class: "notice" }, found.problem),
      found?.answer && this.journey(found.answer.there),
      found?.past && h("p", { class: "muted" }, "Routes of the past are not kept: this is by links alone."),
      found?.past && this.steps(found),
      found?.other && [h("h3", {}, "By working links alone"), this.steps(found.other)],
      back && h("details", {}, h("summary", {}, `The way back ${back.outcome === "delivered" ? "arrives" : `does not: ${back.reason}`}`), this.journey(back)),
      found?.answer && h("p", {}, h("a", { href: `/paths?${new URLSearchParams({ from: found.answer.there.from, to: found.answer.there.to })}` }, "All of it as a page")));
  }

  journey({ outcome, reason, hops }) {
    const [look, word] = ENDS[outcome];
    const does = (hop) => [hop.interface && `out of ${hop.interface}`, hop.route && `by route ${hop.route.dst}`, hop.allowed_ip && `allowed IPs ${hop.allowed_ip}`, !hop.peer && hop.next && `to ${hop.next}`].filter(Boolean).join(", ");
    return h("div", {}, h("p", { class: "verdict" }, chip(look, word), ` ${reason}.`),
      h("ol", { class: "hops" }, hops.map((hop, i) => h("li", {},
        this.name(`a:${hop.agent_id}`), i < hops.length - 1 || outcome !== "delivered" ? h("span", { class: "muted" }, ` ${does(hop)}`) : "",
        hop.edge_state && hop.edge_state !== "up" && [" ", chip(EDGE_CHIP[hop.edge_state], EDGE_WORDS[hop.edge_state])],
        hop.notes.map((note) => h("span", { class: "muted" }, h("br"), `Note: ${note}.`))))));
  }

  steps({ legs, said }) {
    return legs.length === 0 ? h("p", {}, said)
      : h("ol", { class: "hops" }, [legs[0].from, ...legs.map(({ to }) => to)].map((id) => h("li", {}, this.name(id))));
  }

  few(things) {
    const shown = things.slice(0, MANY).map(({ id }) => h("li", {}, this.name(id)));
    return h("ul", { class: "few" }, shown, things.length > MANY && h("li", { class: "muted" }, `and ${things.length - MANY} more`));
  }

  lossPart(without) {
    const { problem, loss, cut, weakest } = this.answers.without ?? {};
    const open = new URLSearchParams({ without: without.join() });
    return h("div", {}, this.head("What if", () => this.end("without")),
      without.length === 0 ? h("p", { class: "muted" }, "Choose on the map what to take away: agents, peers, links. Nothing is changed.")
        : h("ul", { class: "few" }, without.map((id) => h("li", {}, this.name(id), " ", h("button", { type: "button", class: "link", "data-focus": `back ${id}`, onclick: () => this.without([id]) }, "put back")))),
      problem && h("p", { class: "notice" }, problem),
      weakest && [h("h3", {}, "It can least afford to lose"), this.weakest(weakest)],
      loss && [
        h("h3", {}, "Cut off by links"),
        cut === 0 ? h("p", {}, "Nobody: who is left still reaches everybody.")
          : this.parts(loss.cut_off),
        h("h3", {}, "Lose their way to the manager"),
        loss.reports_lost.length === 0 ? h("p", {}, "Nobody's reports came that way.") : [h("p", {}, "Their reports must find another way:"), this.few(loss.reports_lost)],
        h("h3", {}, "New single points of failure"),
        loss.weak_nodes.length + loss.weak_links.length === 0 ? h("p", {}, "None.") : this.few([...loss.weak_nodes, ...loss.weak_links]),
        h("p", {}, h("a", { href: `/what-if?${open}` }, "All of it as a page")),
      ]);
  }

  // The parts that fall off; those of one node each are told together.
  parts(parts) {
    const large = parts.filter(({ nodes }) => nodes.length > 1);
    const alone = parts.filter(({ nodes }) => nodes.length === 1).flatMap(({ nodes }) => nodes);
    return [
      large.slice(0, 4).map((part) => [h("p", {}, `${plural(part.nodes.length, "node")} would lose ${plural(part.loses, "other")}:`), this.few(part.nodes)]),
      large.length > 4 && h("p", { class: "muted" }, `and ${plural(large.length - 4, "more part")}`),
      alone.length > 0 && [h("p", {}, `${plural(alone.length, "node")} would be alone:`), this.few(alone)],
    ];
  }

  weakest({ hosts, links }) {
    if (hosts.length + links.length === 0) return h("p", {}, "Nothing hangs on a single host or link.");
    const line = ({ id, cut_off: count }) => h("li", {}, this.name(id), ` ${plural(count, "agent")} `, h("button", { type: "button", class: "link", "data-focus": `take ${id}`, onclick: () => this.without([id]) }, "take away"));
    return h("ul", { class: "few" }, [...hosts, ...links].sort((a, b) => b.cut_off - a.cut_off).slice(0, MANY).map(line));
  }
}

