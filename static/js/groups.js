// The panel's view of several chosen things, and of a prefix.

import { getJson, h } from "./dom.js";
import { plural } from "./format.js";
import { code, edgeChip, nodeChip } from "./panel.js";
import { beyond, subnets } from "./networks.js";
import { edgeRank, isBadEdge, look, nameOf, nodeRank } from "./scene.js";

const MANY = 40;

// Of nodes, sites and links: counts, the worst first, and what can be asked of all of them.
export function several(panel, scene, chosen) {
  const ids = (type) => new Set(chosen.filter((item) => item.type === type).map(({ id }) => id));
  const sites = ids("site");
  const nodes = [...scene.nodes.values()].filter((node) => !("n" in node)).filter((node) => ids("node").has(node.id) || sites.has(node.site)).sort((a, b) => nodeRank(a) - nodeRank(b) || (a.label < b.label ? -1 : 1));
  const inside = new Set(nodes.map(({ id }) => id));
  const between = [...scene.edges.values()].filter((edge) => ids("edge").has(edge.id) || (inside.has(edge.source) && inside.has(edge.target))).sort((a, b) => edgeRank(a) - edgeRank(b));
  const bad = between.filter(isBadEdge);
  const alarms = nodes.reduce((sum, node) => sum + node.alarms, 0);
  const looks = new Map();
  for (const node of nodes) looks.set(look(node), [...(looks.get(look(node)) ?? []), node]);
  const all = [...nodes.map(({ id }) => id), ...between.filter(({ id }) => ids("edge").has(id)).map(({ id }) => id)];
  const links = (bad.length > 0 ? bad : between).slice(0, MANY);
  return [
    panel.back(),
    h("h2", {}, `${chosen.length} chosen`),
    h("p", { class: "muted" }, [sites.size > 0 && plural(sites.size, "site"), plural(nodes.length, "node"), `${plural(between.length, "link")} among them`, alarms > 0 && plural(alarms, "open alarm")].filter(Boolean).join(", ")),
    h("p", { class: "chips" }, [...looks.values()].map((alike) => h("span", { class: "tally" }, nodeChip(alike[0]), ` ${alike.length} `))),
    h("p", { class: "actions" },
      panel.button("What if without", () => panel.verbs.without(all)),
      nodes.length === 2 && panel.button("Path between", () => panel.verbs.path(...nodes.map(({ id }) => id)))),
    h("ul", { class: "list" }, nodes.slice(0, MANY).map((node) => h("li", {}, nodeChip(node), h("span", { class: "grow" }, panel.choose("node", node.id, node.label)), h("span", { class: "muted" }, scene.sites.get(node.site)?.label ?? "")))),
    nodes.length > MANY && h("p", { class: "muted" }, `and ${nodes.length - MANY} more`),
    links.length > 0 && [
      h("h3", {}, bad.length > 0 ? `Links in trouble (${bad.length})` : `Links (${between.length})`),
      h("ul", { class: "list" }, links.map((edge) => h("li", {}, edgeChip(edge), panel.choose("edge", edge.id, `${nameOf(scene, edge.source)} ⇄ ${nameOf(scene, edge.target)}`)))),
    ],
  ];
}

// Who carries a prefix: by allowed IPs, as the map draws it, and by all that hosts report of it.
export function net(panel, scene, id) {
  const carriers = subnets(scene).get(id);
  const { details } = panel;
  const alone = carriers && [...carriers.keys()].every((node) => beyond(scene, id, scene.nodes.get(node)?.fleet_id));
  const word = { address: "has an address in it", route: "has a route to it", allowed_ip: "lets a peer use it" };
  return [
    panel.back(),
    h("h2", {}, code(id)),
    h("p", { class: "muted" }, carriers ? `Sent to ${plural(carriers.size, "node")} by routes or the allowed IPs of their peers` : "No route and no peer's allowed IPs lead to this prefix now"),
    alone && h("p", {}, "Known by routes only: no host reports an address in it."),
    carriers && h("ul", { class: "list" }, [...carriers].sort(([a], [b]) => (nameOf(scene, a) < nameOf(scene, b) ? -1 : 1)).map(([node, ends]) => {
      const known = scene.nodes.get(node);
      return known && h("li", {}, nodeChip(known), h("span", { class: "grow" }, panel.choose("node", node, known.label)), h("span", { class: "muted" }, ends > 0 ? `by ${plural(ends, "peer")}` : "by routes"));
    })),
    panel.trouble(),
    Array.isArray(details) && [
      h("h3", {}, "What hosts report of it"),
      details.length === 0 ? h("p", {}, "No address, no route and no allowed IPs.")
        : h("ul", { class: "list" }, details.map((line) => h("li", {}, h("span", { class: "grow" }, scene.nodes.has(`a:${line.agent_id}`) ? panel.choose("node", `a:${line.agent_id}`, line.hostname ?? line.agent_id) : line.hostname ?? line.agent_id, h("span", { class: "muted" }, ` ${word[line.kind]}`)), code(`${line.prefix} ${line.interface ?? ""}`)))),
    ],
    !scene.past && h("p", {}, h("a", { href: `/paths?net=${encodeURIComponent(id)}` }, "All carriers as a page")),
  ];
}

export const carriersOf = (id) => getJson(`/api/v1/carriers?net=${encodeURIComponent(id)}&limit=${MANY}`);
