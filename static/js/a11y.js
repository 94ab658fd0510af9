// What the map says to those who do not see it: the chosen thing in one line, and summaries of
// what changed, at most every ten seconds. `describe` is pure.

import { plural } from "./format.js";
import { way } from "./relays.js";
import { beyond, subnets } from "./networks.js";
import { counts, edgesOf, look, nameOf } from "./scene.js";
import { EDGE_WORDS, NODE_WORDS } from "./words.js";

export function describe(scene, selected) {
  if (!selected) {
    const { agents, nodes, edges, links } = counts(scene);
    return `${plural(agents, "agent")}, ${nodes.down} down, ${nodes.late} late, ${plural(links, "link")}, ${edges.down} down`;
  }
  const { type, id } = selected;
  if (type === "node") {
    const node = scene.nodes.get(id);
    if (!node) return "";
    const links = edgesOf(scene, id);
    const down = links.filter((edge) => edge.state === "down").length;
    const role = node.role === "agent" || node.role === "external" ? null : node.role;
    const site = scene.sites.get(node.site)?.label;
    return [node.label, role, NODE_WORDS[look(node)].toLowerCase(), plural(links.length, "link"), down > 0 && `${down} down`, site, node.relay_path?.length > 0 && `reports ${way(scene, node)}`].filter(Boolean).join(", ");
  }
  if (type === "edge") {
    const edge = scene.edges.get(id);
    if (!edge) return "";
    return `Link ${nameOf(scene, edge.source)} to ${nameOf(scene, edge.target)}, ${EDGE_WORDS[edge.state].toLowerCase()}`;
  }
  const site = scene.sites.get(id);
  if (!site) return "";
  const { online, stale, offline, pending, external } = site.counts;
  return `Site ${site.label}, ${plural(online + stale + offline + pending + external, "node")}, ${offline} down, ${stale} late`;
}

// What a change means in words: who went down, who came back. "" if nothing worth saying.
export function summary(before, after) {
  const changed = (wanted) => [...after].filter(([id, now]) => now === wanted && before.has(id) && before.get(id) !== wanted).map(([id]) => id);
  const say = (ids, words) => (ids.length > 0 ? `${plural(ids.length, "agent")} ${words}: ${ids.slice(0, 3).join(", ")}${ids.length > 3 ? " and others" : ""}` : null);
  return [say(changed("down"), "went down"), say(changed("up"), "reporting again")].filter(Boolean).join(". ");
}

const EVERY_MS = 10000;

export class Announcer {
  constructor(line, news) {
    this.line = line;
    this.news = news;
    this.known = null;
    this.last = 0;
  }

  chosen(text) {
    this.line.textContent = text;
  }

  // What is chosen, in one line.
  describe(scene, selected, more) {
    return more.length > 0 || selected?.type === "net" ? tell(scene, selected, more) : describe(scene, selected);
  }

  changed(scene) {
    if (this.waiting) return;
    const wait = Math.max(0, this.last + EVERY_MS - Date.now());
    this.waiting = setTimeout(() => {
      this.waiting = null;
      this.last = Date.now();
      const now = new Map([...scene.nodes.values()].filter((node) => !("n" in node)).map((node) => [node.label, look(node)]));
      const text = this.known ? summary(this.known, now) : "";
      this.known = now;
      if (text) this.news.textContent = text;
    }, wait);
  }
}

// The same of several chosen things, and of a prefix.
export function tell(scene, selected, more) {
  if (more.length === 0) {
    const ids = [...(subnets(scene).get(selected.id)?.keys() ?? [])];
    const carriers = ids.map((id) => nameOf(scene, id));
    const alone = ids.length > 0 && ids.every((id) => beyond(scene, selected.id, scene.nodes.get(id)?.fleet_id));
    return `Prefix ${selected.id}${alone ? ", known by routes only" : ""}, ${carriers.length > 0 ? `carried by ${carriers.slice(0, 5).join(", ")}` : "carried by nobody"}`;
  }
  const looks = [selected, ...more].filter(({ type }) => type === "node").map(({ id }) => scene.nodes.get(id)).filter(Boolean).map(look);
  const counts = [...new Set(looks)].map((name) => `${looks.filter((other) => other === name).length} ${NODE_WORDS[name].toLowerCase()}`);
  return [`${more.length + 1} chosen`, ...counts].join(", ");
}
