// The side panel: the fleet, an agent, a link or a site.

import { fill, getJson, h } from "./dom.js";
import { CHIP_MARK, EDGE_CHIP, EDGE_WORDS, END_WORDS, NODE_CHIP, NODE_WORDS, ago, because, bytes, iso, plural, signed, span } from "./format.js";
import { carriersOf, net, several } from "./groups.js";
import { handshakeOf, peerOf, said } from "./told.js";
import { counts, edgeRank, edgesOf, endOf, isBadEdge, look, nodeRank, otherEnd, pageOf, worstFirst } from "./scene.js";
import { nameOf } from "./a11y.js";
import { way } from "./relays.js";

export const chip = (kind, text) => h("span", { class: `chip chip-${kind}` }, `${CHIP_MARK[kind]} ${text}`);

export const nodeChip = (node) => chip(NODE_CHIP[look(node)], NODE_WORDS[look(node)]);

export const edgeChip = (edge) => chip(EDGE_CHIP[edge.state], EDGE_WORDS[edge.state]);

// Nobody is told of alarms about what is in maintenance.
const upkeep = (...nodes) => nodes.some((node) => node?.maintenance_until) && [" ", h("span", { class: "chip chip-stale" }, "◇ Maintenance")];

// A state in one sign, where a chip would not fit.
const sign = (edge) => h("span", { class: `sign sign-${EDGE_CHIP[edge.state]}`, role: "img", "aria-label": EDGE_WORDS[edge.state], title: EDGE_WORDS[edge.state] }, CHIP_MARK[EDGE_CHIP[edge.state]]);

// page.js keeps counting.
const time = (then, now, past) => (then ? h("time", { datetime: iso(then), title: iso(then), "data-age": past ? null : then }, ago(then, now)) : "never");

// How long an agent has been silent. One that reports is not: its patches tell of changes only,
// so its last report is younger than the map knows.
const silence = (node, now) => (["late", "down"].includes(look(node)) && node.seen_at ? time(node.seen_at, now) : "");

const rows = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

export const code = (text) => h("code", {}, text);

const table = (heads, body, kind = "") =>
  h("table", { class: `compact ${kind}` },
    h("thead", {}, h("tr", {}, heads.map((head) => (head === "" ? h("td") : h("th", { scope: "col" }, head))))),
    h("tbody", {}, body));

const MANY = 14;

export class Panel {
  // `verbs`: now(), choose(selection), zoomTo(selection), filter(looks), focus(node), path(from, to), without(ids)
  constructor(root, verbs) {
    this.root = root;
    this.verbs = verbs;
    this.details = null;
  }

  // Draws anew; details of the chosen thing are fetched once and kept while it stays chosen.
  show(scene, selected, more = []) {
    const key = [selected, ...more].filter(Boolean).map(({ type, id }) => `${type} ${id}`).join("\n");
    if (key !== this.key) {
      this.key = key;
      this.details = null;
      this.failure = null;
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
    const member = selected && { node: scene.nodes, edge: scene.edges, site: scene.sites }[selected.type]?.get(selected.id);
    fill(this.root, !selected ? this.fleet(scene)
      : more.length > 0 ? several(this, scene, [selected, ...more])
      : selected.type === "net" ? net(this, scene, selected.id)
      : !member ? this.gone()
      : selected.type === "node" ? this.node(scene, member)
      : selected.type === "edge" ? this.edge(scene, member)
      : this.site(scene, member));
    if (focus) this.root.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
  }

  // The details are those of now; of the past, what the reports of the time said.
  async fetch(scene, { type, id }, key) {
    if (scene.past && type === "net") return;
    const agent = type === "node" ? scene.nodes.get(id)?.agent_id : null;
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
    return h("button", { type: "button", class: "button", "data-focus": focus, onclick: run }, label);
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

  gone() {
    return [this.back(), h("h2", {}, "Not on the map"), h("p", {}, "What was selected is not on this map. Events tell when it came and went.")];
  }

  // What is wrong with a node besides its state.
  wrong(scene, node) {
    const links = edgesOf(scene, node.id);
    const bad = links.filter(isBadEdge).length;
    return [bad > 0 && `${bad} of ${plural(links.length, "link")} in trouble`, node.alarms > 0 && plural(node.alarms, "alarm")].filter(Boolean).join(", ") || (scene.sites.get(node.site)?.label ?? "");
  }

  fleet(scene) {
    const now = this.verbs.now();
    const { nodes, edges, agents } = counts(scene);
    const { worst, all } = worstFirst(scene, MANY);
    const looks = [["down", "down"], ["late", "late"], ["pending", "waiting for approval"], ["up", "reporting"], ["none", "no agent"]];
    const quiet = [edges.idle && `${edges.idle} idle`, edges.unknown && `${edges.unknown} unknown`].filter(Boolean);
    const bad = edges.down + edges.one_way + edges.half_configured;
    return [
      h("h2", {}, "Fleet"),
      h("p", { class: "muted" }, `${plural(agents, "agent")}, ${plural(scene.sites.size, "site")}, ${plural(scene.edges.size, "WireGuard link")}`),
      h("p", { class: "chips" }, looks.filter(([name]) => nodes[name] > 0).map(([name, word]) =>
        h("button", { type: "button", class: `chip chip-${NODE_CHIP[name]}`, "data-focus": `chip ${name}`, onclick: () => this.verbs.filter(name) }, `${nodes[name]} ${word}`))),
      h("p", {}, bad > 0 ? `${plural(bad, "link")} in trouble` : "No link is in trouble", quiet.length > 0 ? `; ${quiet.join(", ")}.` : "."),
      scene.past && h("p", {}, h("a", { href: `/changes?from=${scene.past.at}` }, "What changed since")),
      h("h3", {}, "Needs attention"),
      worst.length === 0 ? h("p", { class: "muted" }, agents === 0 ? "No agent yet." : "Nothing. Every agent reports and no alarm is open on one.")
        : h("ul", { class: "list" }, worst.map((node) => h("li", {},
          nodeChip(node),
          h("span", { class: "grow" }, this.choose("node", node.id, node.label), h("br"), h("span", { class: "muted" }, this.wrong(scene, node))),
          h("span", { class: "age" }, silence(node, now))))),
      all > MANY && h("p", {}, h("a", { href: "/agents" }, `All agents, worst first; ${all - MANY} more need attention`)),
    ];
  }

  node(scene, node) {
    const now = this.verbs.now();
    const told = scene.past && this.details?.told;
    const d = scene.past ? null : this.details;
    const site = scene.sites.get(node.site);
    const links = edgesOf(scene, node.id).slice().sort((a, b) => edgeRank(a) - edgeRank(b) || (nameOf(scene, otherEnd(a, node.id)) < nameOf(scene, otherEnd(b, node.id)) ? -1 : 1));
    const peers = new Map((d?.peers ?? []).map((peer) => [peer.edge_id, peer]));
    const role = node.kind === "external" ? "peer without an agent" : node.role;
    const page = node.agent_id && pageOf(scene, "agents", node.agent_id);
    const since = d?.status_since ?? scene.past?.since[node.id];
    return [
      this.back(),
      h("h2", {}, node.label),
      h("p", { class: "verdict" }, nodeChip(node), upkeep(node), ` ${role}, `, site ? this.choose("site", site.id, site.label) : node.site),
      h("p", { class: "actions" },
        page && h("a", { class: "button", href: page, "data-focus": "open" }, "Open agent"),
        this.button("Show on map", () => this.verbs.zoomTo({ type: "node", id: node.id })),
        this.button("Neighbourhood", () => this.verbs.focus(node.id)),
        node.agent_id && this.button("Path from here", () => this.verbs.path(node.id)),
        this.button("What if without", () => this.verbs.without([node.id]))),
      this.trouble(),
      rows([
        ["Address", told ? told.addresses.flatMap((address, i) => [i > 0 && h("br"), code(address)]).filter(Boolean) : node.addresses.length > 0 ? node.addresses.slice(0, 3).map((address, i) => [i > 0 && h("br"), code(address)]).flat().filter(Boolean) : null],
        ["Last report", node.kind === "agent" && !scene.past ? time(d?.last_seen_at ?? node.seen_at, now) : null],
        ["Said", told ? time(told.measured_at, now, scene.past) : null],
        ["State since", since ? time(since, now, scene.past) : null],
        ["Report path", d && way(scene, d)],
        ["Agent version", d?.agent_version ?? null],
        ["Clock offset", d ? signed(d.clock_offset) : null],
        ["Signed with", d?.kid ? [code(d.kid), d.key_generation ? ` (${d.key_generation})` : ""] : null],
        ["Fleet", node.fleet_id],
        ["Open alarms", node.alarms > 0 ? String(node.alarms) : null],
      ].map(([name, value]) => [name, Array.isArray(value) ? h("span", {}, value) : value])),
      d?.problems?.length > 0 && h("p", { class: "notice" }, `${plural(d.problems.length, "part")} of the last report could not be understood; the agent's page lists them.`),
      scene.past && this.details && !told && h("p", { class: "muted" }, "Addresses and counters of then are not known: no report of the time is kept."),
      h("h3", {}, `WireGuard links (${links.length})`),
      links.length > 0 && table(["Peer", "Interface", "Handshake"], links.slice(0, MANY).map((edge) => {
        const end = edge.ends[endOf(edge, node.id)];
        return h("tr", {},
          h("td", {}, sign(edge), this.choose("edge", edge.id, nameOf(scene, otherEnd(edge, node.id)))),
          h("td", {}, code(end.interface ?? "—")),
          h("td", { class: "number" }, peers.has(edge.id) ? this.age(peers.get(edge.id).latest_handshake) : told ? handshakeOf(told, peerOf(told, edge, endOf(edge, node.id))) : "—"));
      })),
      links.length > MANY && h("p", {}, h("a", { href: page ?? `/links?q=${encodeURIComponent(node.label)}` }, `All ${links.length} links`)),
    ];
  }

  edge(scene, edge) {
    const now = this.verbs.now();
    const full = this.details?.ends ? this.details : edge;
    const names = [nameOf(scene, edge.source), nameOf(scene, edge.target)];
    const list = (values) => (values?.length > 0 ? values.join(", ") : "—");
    const handshake = (end) => (end.latest_handshake === null || end.latest_handshake === undefined ? "—"
      : end.latest_handshake === 0 ? "never" : `${span((end.measured_at ?? now) - end.latest_handshake)} before`);
    const lines = [
      ["State", (end) => END_WORDS[end.state] ?? end.state, true],
      ["Interface", (end) => end.interface ?? "—"],
      ["Handshake", handshake],
      ["Endpoint", (end) => end.endpoint ?? "—"],
      ["Sent", (end) => bytes(end.tx_bytes)],
      ["Received", (end) => bytes(end.rx_bytes)],
      ["Keepalive", (end) => (end.persistent_keepalive === null || end.persistent_keepalive === undefined ? "—" : end.persistent_keepalive === 0 ? "off" : `${end.persistent_keepalive} s`), true],
      ["Allowed IPs", (end) => list(end.allowed_ips)],
      ["Read", (end) => (end.measured_at ? ago(end.measured_at, now) : "—")],
    ];
    return [
      this.back(),
      h("h2", {}, `${names[0]} ⇄ ${names[1]}`),
      h("p", { class: "verdict" }, edgeChip(edge), upkeep(scene.nodes.get(edge.source), scene.nodes.get(edge.target)), " ", because(edge.reason)),
      h("p", { class: "actions" },
        h("a", { class: "button", href: pageOf(scene, "links", edge.id), "data-focus": "open" }, "Open link"),
        this.button("Show on map", () => this.verbs.zoomTo({ type: "edge", id: edge.id })),
        this.button("What if without", () => this.verbs.without([edge.id]))),
      this.trouble(),
      h("p", { class: "muted" }, "So since ", time(edge.since, now, scene.past), ", judged ", time(edge.judged_at, now, scene.past), scene.past ? (full === edge ? ". Endpoints and counters of then are not known." : "; below is what the ends said then.") : "; below is what the ends say now."),
      (!scene.past || full !== edge) && table(["", this.choose("node", edge.source, names[0]), this.choose("node", edge.target, names[1])], lines.map(([name, of, compared]) => {
        const [a, b] = full.ends.map(of);
        const differs = compared && a !== b && a !== "—" && b !== "—";
        return h("tr", { class: differs ? "differs" : null }, h("th", { scope: "row" }, differs ? `≠ ${name}` : name), h("td", {}, a), h("td", {}, b));
      }), "ends"),
    ];
  }

  site(scene, site) {
    const now = this.verbs.now();
    const members = [...scene.nodes.values()].filter((node) => node.site === site.id).sort((a, b) => nodeRank(a) - nodeRank(b) || (a.label < b.label ? -1 : 1));
    const { online, stale, offline, pending, external } = site.counts;
    const parts = [[offline, "down", "down"], [stale, "late", "late"], [pending, "stale", "waiting"], [online, "up", "reporting"], [external, "stale", "no agent"]];
    return [
      this.back(),
      h("h2", {}, site.label),
      h("p", { class: "muted" }, `Site of fleet ${site.fleet_id}, ${plural(members.length, "node")}`),
      h("p", { class: "chips" }, parts.filter(([count]) => count > 0).map(([count, kind, word]) => h("span", { class: `chip chip-${kind}` }, `${count} ${word}`))),
      h("p", { class: "actions" }, this.button("Show on map", () => this.verbs.zoomTo({ type: "site", id: site.id }))),
      h("ul", { class: "list" }, members.slice(0, 60).map((node) => h("li", {},
        nodeChip(node), h("span", { class: "grow" }, this.choose("node", node.id, node.label)),
        h("span", { class: "age" }, silence(node, now))))),
      members.length > 60 && h("p", {}, h("a", { href: `/agents?q=${encodeURIComponent(site.label)}` }, `All ${members.length}`)),
    ];
  }
}
