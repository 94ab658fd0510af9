// What the map says to those who do not see it: the chosen thing in one line, and summaries of
// what changed, at most every ten seconds. `describe` is pure.

import { plural } from "./format.js";
import { line } from "./manager.js";
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
  if (type === "manager") return line(scene);
  const site = scene.sites.get(id);
  if (!site) return "";
  const { online, stale, offline, pending, external } = site.counts;
  return `Site ${site.label}, ${plural(online + stale + offline + pending + external, "node")}, ${offline} down, ${stale} late`;
}

// What is watched of a scene: of agents name and look, of links whether they are down.
const watched = (scene) => ({
  nodes: new Map([...scene.nodes.values()].filter((node) => !("n" in node)).map((node) => [node.id, { name: node.label, look: look(node) }])),
  dead: new Set([...scene.edges.values()].filter(({ state }) => state === "down").map(({ id }) => id)),
  edges: new Set(scene.edges.keys()),
});

// What a change means in words: who went down, who came back, how many links. "" if nothing worth saying.
export function summary(before, after) {
  const changed = (wanted) => [...after.nodes].filter(([id, { look: now }]) => now === wanted && before.nodes.has(id) && before.nodes.get(id).look !== wanted).map(([, { name }]) => name);
  const say = (names, words) => (names.length > 0 ? `${plural(names.length, "agent")} ${words}: ${names.slice(0, 3).join(", ")}${names.length > 3 ? " and others" : ""}` : null);
  const links = (from, to, words) => {
    const count = [...to.dead].filter((id) => from.edges.has(id) && !from.dead.has(id)).length;
    return count > 0 ? `${plural(count, "link")} ${words}` : null;
  };
  return [say(changed("down"), "went down"), say(changed("late"), "late"), say(changed("up"), "reporting again"), links(before, after, "went down"), links(after, before, "no longer down")].filter(Boolean).join(". ");
}

const EVERY_MS = 10000;
const KEPT = "kattila-news";

// The browser's clock, and where it keeps what somebody chose.
const BROWSER = {
  now: () => Date.now(),
  later: (run, ms) => setTimeout(run, ms),
  kept: () => globalThis.localStorage?.getItem(KEPT) === "on",
  keep: (on) => globalThis.localStorage?.setItem(KEPT, on ? "on" : "off"),
};

export class Announcer {
  constructor(stage, line, news, world = BROWSER) {
    this.stage = stage;
    this.line = line;
    this.news = news;
    this.world = world;
    this.known = null;
    this.last = -Infinity;
    // Whether changes are read out: only for those who asked for it.
    this.on = world.kept();
  }

  // Says it: on the stage by its option, of which there are two in turn, so that each text is read out;
  // elsewhere by the live line.
  chosen(text) {
    const { line, stage } = this;
    line.setAttribute("aria-live", document.activeElement === stage ? "off" : "polite");
    line.textContent = text;
    const [now, before] = this.turned ? stage.children : [...stage.children].reverse();
    this.turned = !this.turned;
    Object.assign(now, { textContent: text, hidden: false });
    stage.setAttribute("aria-activedescendant", now.id);
    before.hidden = true;
  }

  // What is chosen, in one line.
  describe(scene, selected, more) {
    return more.length > 0 || selected?.type === "net" ? tell(scene, selected, more) : describe(scene, selected);
  }

  // Has changes read out from now on, or no longer; what to say of it.
  toggle(scene) {
    this.on = !this.on;
    this.world.keep(this.on);
    this.known = this.on ? watched(scene) : null;
    this.news.textContent = "";
    return this.on ? "Changes are read out, every ten seconds at most" : "Changes are no longer read out";
  }

  // The map has changed: says so in one summary, at most every ten seconds.
  changed(scene) {
    this.scene = scene;
    if (!this.on) return;
    this.known ??= watched(scene);
    if (this.waiting) return;
    const wait = Math.max(0, this.last + EVERY_MS - this.world.now());
    this.waiting = this.world.later(() => {
      this.waiting = null;
      if (!this.known) return;
      const now = watched(this.scene);
      const text = summary(this.known, now);
      this.known = now;
      if (!text) return;
      this.last = this.world.now();
      this.news.textContent = text;
    }, wait) ?? true;
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
