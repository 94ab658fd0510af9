// Of a map too large to be held whole: the open sites are held, and of the rest how many look how. One
// stand-in with a weight (`n`) stands for all nodes of a site that look the same, or for all links between
// two sites in the same state; the far ends of held links weigh nothing. Loaded with the first such map.

import { unfold } from "./columns.js";
import { getJson } from "./dom.js";
import { merge } from "./scene.js";

// Held nodes; above, the sites that were drawn the longest time ago are let go.
const KEPT = 4000;
// How soon the counts between sites are asked for again once they may have changed.
const FRESH_MS = 5000;
const RETRY_MS = 3000;
const WORST = 14;
// As many things are looked up at once, as /api/v1/search takes.
const ASKED = 200;

const LOOKS = { online: "agent", stale: "agent", offline: "agent", pending: "agent", external: "external" };

// Stand-ins for a site's nodes. Pure.
export const crowd = ({ id, x, y, counts }) => Object.entries(LOOKS)
  .filter(([status]) => counts[status] > 0)
  .map(([status, kind]) => ({ id: `${id} ${status}`, kind, role: kind, status: kind === "agent" ? status : null, label: "", site: id, x, y, alarms: 0, addresses: [], n: counts[status] }));

// Makes a scene hold what it holds of the open sites, and stand-ins for the rest. Pure.
export function build(scene, open, pairs) {
  const real = (member) => !(member.n > 0);
  const edges = new Map([...scene.edges].filter(([, edge]) => real(edge) && [edge.source, edge.target].some((id) => open.has(scene.nodes.get(id)?.site))));
  const ends = new Set([...edges.values()].flatMap(({ source, target }) => [source, target]));
  const nodes = new Map();
  for (const [id, node] of scene.nodes) {
    if (!real(node) || !(open.has(node.site) || ends.has(id))) continue;
    if (open.has(node.site)) delete node.n;
    else node.n = 0;
    nodes.set(id, node);
  }
  const first = new Map();
  for (const site of scene.sites.values()) {
    if (open.has(site.id)) continue;
    for (const member of crowd(site)) {
      nodes.set(member.id, member);
      if (!first.has(site.id)) first.set(site.id, member.id);
    }
  }
  for (const { source, target, states } of pairs) {
    const [a, b] = [first.get(source), first.get(target)];
    if (!a || !b) continue;
    for (const [state, n] of Object.entries(states)) edges.set(`${source} ${target} ${state}`, { id: `${source} ${target} ${state}`, source: a, target: b, state, reason: "", ends: [{ state }, { state }], n });
  }
  Object.assign(scene, { nodes, edges, lists: null });
}

// Adds one site's part of the map. Pure.
export function take(scene, { nodes, edges, beyond, status_since: since }) {
  for (const node of nodes) scene.nodes.set(node.id, node);
  for (const far of beyond) if (!scene.nodes.has(far.id)) scene.nodes.set(far.id, { alarms: 0, addresses: [], ...far, n: 0 });
  for (const edge of edges) scene.edges.set(edge.id, edge);
  if (scene.past) Object.assign(scene.past.since, since);
}

export class Parts {
  // env: {ask(query) -> Promise of the map asked for, search(query) -> Promise, scene(), chosen() ids,
  // resync(), changed(), setTimeout}
  constructor(env) {
    this.env = env;
    this.open = new Set();
    this.loading = new Map();
    this.unknown = new Set();
    this.pairs = [];
    this.held = [];
    this.worst = [];
  }

  // Sites first, made a whole picture: with what is chosen, and what was open before. `then` is
  // the time of the past, as part of an address.
  async picture(overview, then) {
    const there = new Set(overview.sites.map(({ id }) => id));
    this.then = then;
    this.unknown.clear();
    const homes = await this.homes(this.env.chosen());
    const parts = await Promise.all([...this.open, ...homes].filter((id, i, all) => there.has(id) && all.indexOf(id) === i).map((id) => this.part(id)));
    const scene = { nodes: new Map(), edges: new Map(), sites: new Map(overview.sites.map((site) => [site.id, site])), past: overview.at ? { since: {} } : null };
    const got = parts.filter(Boolean);
    for (const part of got) take(scene, part);
    this.open = new Set(got.map(({ site }) => site));
    this.pairs = overview.pairs;
    this.worst = await this.most();
    build(scene, this.open, this.pairs);
    return { ...overview, nodes: [...scene.nodes.values()], edges: [...scene.edges.values()], part: this, ...(scene.past && { status_since: scene.past.since }) };
  }

  // One site's part; null if there is no such site any more.
  part(id) {
    return this.env.ask(`shape=columns&site=${encodeURIComponent(id)}${this.then}`).then(unfold, (error) => {
      if (error.status === 404) return null;
      throw error;
    });
  }

  // The sites of these nodes and links.
  async homes(ids) {
    const sites = new Set();
    for (let at = 0; at < ids.length; at += ASKED) {
      const some = ids.slice(at, at + ASKED);
      const found = await this.env.search(`ids=${encodeURIComponent(some.join())}${this.then}`);
      const has = new Set([...found.nodes, ...found.edges]);
      for (const id of some) if (!has.has(id)) this.unknown.add(id);
      for (const site of found.sites) sites.add(site);
    }
    return [...sites];
  }

  // Those in the greatest trouble, of all.
  async most() {
    const worst = [];
    for (const state of ["down", "late"]) {
      if (worst.length >= WORST) break;
      worst.push(...(await this.env.search(`q=${encodeURIComponent(`kind:agent state:${state}`)}${this.then}`)).hits);
    }
    return worst.slice(0, WORST);
  }

  // What a plan would open if it were held; what it draws is held on to.
  want({ wanted, circles }) {
    for (const { id } of circles) if (this.open.delete(id)) this.open.add(id);
    for (const id of wanted) this.load(id);
  }

  load(id) {
    if (!this.open.has(id) && !this.loading.has(id)) this.loading.set(id, this.fetch(id));
    return this.loading.get(id) ?? Promise.resolve();
  }

  async fetch(id) {
    const before = this.env.scene();
    let part = null;
    try {
      part = await this.part(id);
    } catch {
      this.env.setTimeout(() => {
        this.loading.delete(id);
        this.env.changed();
      }, RETRY_MS);
      return;
    }
    this.loading.delete(id);
    const scene = this.env.scene();
    const held = this.held.filter(({ seq }) => seq > (part?.seq ?? Infinity));
    if (this.loading.size === 0) this.held = [];
    // Of another scene: the next plan wants it again.
    if (!part || scene !== before || scene.part !== this) return;
    if (part.epoch !== scene.epoch) {
      this.env.resync();
      return;
    }
    // Who moved in or out of its sight while it travelled has links that are not known.
    if (part.seq < scene.seq && this.moved(scene, id, part)) {
      this.load(id);
      return;
    }
    take(scene, part);
    this.open.add(id);
    this.letGo(scene, id);
    build(scene, this.open, this.pairs);
    // What was told while the part travelled and is not in it.
    for (const patch of held) merge(scene, this.sift(patch));
    this.env.changed();
  }

  // Whether a site's part misses a node that is in it by now, or has one that left an open site.
  moved(scene, id, { nodes, beyond }) {
    const known = new Set(nodes.map((node) => node.id));
    const came = [...scene.nodes.values()].some((node) => node.site === id && !(node.n > 0) && !known.has(node.id));
    return came || beyond.some((far) => this.open.has(far.site) && !scene.nodes.has(far.id));
  }

  letGo(scene, but) {
    const keep = new Set([but, ...this.env.chosen().map((id) => scene.nodes.get(id)?.site)]);
    const size = (id) => Object.values(scene.sites.get(id)?.counts ?? {}).reduce((sum, n) => sum + n, 0);
    let all = [...this.open].reduce((sum, id) => sum + size(id), 0);
    for (const id of [...this.open]) {
      if (all <= KEPT) return;
      if (keep.has(id)) continue;
      this.open.delete(id);
      all -= size(id);
      // What was told of its links meanwhile is not in the counts.
      this.refresh();
    }
  }

  // Of a patch, what concerns what is held; the rest changes counts only.
  sift(patch) {
    if (this.loading.size > 0 && !this.held.includes(patch)) this.held.push(patch);
    const { nodes, edges } = this.env.scene();
    const site = (id) => nodes.get(id)?.site;
    const isOpen = (id) => this.open.has(id);
    const edge = (change) => edges.has(change.id) || [change.source, change.target].some((id) => isOpen(site(id)));
    const wholly = (change) => edges.has(change.id) || [change.source, change.target].every((id) => nodes.has(id));
    const [n, e] = [patch.n?.set ?? [], (patch.e?.set ?? []).filter(edge)];
    // A node may come from elsewhere with links that no patch tells: its site is fetched anew. So it
    // is for a link to a node that is not held.
    const torn = new Set(n.filter(({ id, site: to }) => isOpen(to) && !isOpen(site(id))).map((change) => change.site));
    for (const change of e) if (!wholly(change)) torn.add([change.source, change.target].map(site).find(isOpen));
    for (const id of torn) {
      this.open.delete(id);
      this.load(id);
    }
    const lost = [...(patch.e?.set ?? []).map(({ id }) => id), ...(patch.e?.del ?? [])].some((id) => !edges.has(id));
    if (lost || torn.size > 0 || patch.s?.set?.length > 0) this.refresh();
    if (patch.s) this.crowds = true;
    return { ...patch, n: { ...patch.n, set: n.filter(({ id }) => nodes.has(id)) }, e: { ...patch.e, set: e.filter(wholly) } };
  }

  // After a patch: stand-ins follow the counts of their sites.
  settle(scene) {
    if (!this.crowds) return;
    this.crowds = false;
    build(scene, this.open, this.pairs);
  }

  // Asks for the counts and the worst anew, soon and once.
  refresh() {
    if (this.then) return;
    this.soon ??= this.env.setTimeout(async () => {
      try {
        const [overview, worst] = await Promise.all([this.env.ask("shape=sites"), this.most()]);
        const scene = this.env.scene();
        this.soon = null;
        if (scene.part !== this || overview.epoch !== scene.epoch) return;
        if (overview.seq < scene.seq) {
          this.refresh();
          return;
        }
        [this.pairs, this.worst] = [overview.pairs, worst];
        build(scene, this.open, this.pairs);
        this.env.changed();
      } catch {
        this.soon = null;
        this.refresh();
      }
    }, FRESH_MS);
  }

  // Whether some of these are not held but may be there: they are fetched, and then it goes on.
  lacks(items, next) {
    const { nodes, edges, sites } = this.env.scene();
    for (const { type, id } of items.filter(Boolean)) if (type === "site" && sites.has(id)) this.load(id);
    const ids = items.filter(Boolean).filter(({ type, id }) => (type === "node" ? !nodes.has(id) || "n" in nodes.get(id) : type === "edge" && !edges.has(id))).map(({ id }) => id).filter((id) => !this.unknown.has(id));
    if (ids.length === 0) return false;
    const come = async () => {
      await Promise.all((await this.homes(ids)).map((id) => this.load(id)));
      // What did not come after all is not asked for again.
      for (const id of ids) this.unknown.add(id);
      next();
    };
    come().catch(() => this.env.failed());
    return true;
  }

  // What a search found, with the stand-ins of what is not held.
  found(found) {
    if (!found) return found;
    const sites = new Set(found.sites);
    const crowds = found.sites.flatMap((id) => Object.keys(LOOKS).map((status) => `${id} ${status}`));
    const between = this.pairs.filter(({ source, target }) => sites.has(source) && sites.has(target)).flatMap(({ source, target, states }) => Object.keys(states).map((state) => `${source} ${target} ${state}`));
    return { nodes: [...found.nodes, ...crowds], edges: found.edges.length > 0 ? [...found.edges, ...between] : [] };
  }
}

// Of the map of a page.
export const partsOf = (page) => new Parts({
  ask: (query) => getJson(`${page.stage.dataset.topology}?${query}`),
  search: (query) => getJson(`/api/v1/search?${query}`),
  scene: () => page.scene,
  chosen: () => [page.state.selected, ...page.state.more].filter((item) => ["node", "edge"].includes(item?.type)).map(({ id }) => id),
  resync: () => page.feed.resync(),
  changed: () => page.patched(),
  failed: () => page.say("What was asked for could not be fetched; try again"),
  setTimeout: (run, ms) => setTimeout(run, ms),
});
