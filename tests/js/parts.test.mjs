import assert from "node:assert/strict";
import test from "node:test";
import { Parts } from "../../static/js/parts.js";
import { applyPatch, counts, fromSnapshot, lists, nodeRank } from "../../static/js/scene.js";

const STATUS = ["online", "stale", "offline", "pending"];
const STATES = ["up", "idle", "down", "never"];

// Numbers that look random and are the same every time.
function dice(seed) {
  let at = seed;
  return (below) => {
    at = (at * 1103515245 + 12345) % 2147483648;
    return Math.floor((at / 2147483648) * below);
  };
}

const status = (node) => (node.kind === "external" ? "external" : node.status);

// A manager's map that changes: whole, as sites, a site's part, and a patch for each change.
class Manager {
  constructor(roll) {
    this.roll = roll;
    this.seq = 1;
    this.sites = new Map(Array.from({ length: 5 }, (_, i) => [`s${i}`, { id: `s${i}`, label: `s${i}`, x: i * 1000, y: 0, r: 90 }]));
    this.nodes = new Map();
    this.edges = new Map();
    for (let i = 0; i < 40; i += 1) this.node(`a:${i}`);
    for (let i = 0; i < 60; i += 1) this.edge(`e${i}`);
    this.count();
  }

  node(id) {
    const external = this.roll(6) === 0;
    this.nodes.set(id, { id, kind: external ? "external" : "agent", role: "agent", label: id, status: external ? null : STATUS[this.roll(4)], site: `s${this.roll(5)}`, x: 0, y: 0, alarms: 0, addresses: [] });
  }

  edge(id) {
    const ids = [...this.nodes.keys()];
    this.edges.set(id, { id, source: ids[this.roll(ids.length)], target: ids[this.roll(ids.length)], state: STATES[this.roll(4)], ends: [{ state: "up" }, { state: "up" }] });
  }

  count() {
    for (const site of this.sites.values()) site.counts = { online: 0, stale: 0, offline: 0, pending: 0, external: 0 };
    for (const node of this.nodes.values()) this.sites.get(node.site).counts[status(node)] += 1;
  }

  head() {
    return { v: 1, epoch: "one", seq: this.seq, layout_rev: 1, generated_at: 0, sites: structuredClone([...this.sites.values()]) };
  }

  whole() {
    return { ...this.head(), nodes: structuredClone([...this.nodes.values()]), edges: structuredClone([...this.edges.values()]) };
  }

  overview() {
    const pairs = new Map();
    for (const { source, target, state } of this.edges.values()) {
      const [a, b] = [source, target].map((id) => this.nodes.get(id).site).sort();
      const pair = pairs.get(`${a} ${b}`) ?? { source: a, target: b, states: {} };
      pair.states[state] = (pair.states[state] ?? 0) + 1;
      pairs.set(`${a} ${b}`, pair);
    }
    return { ...this.head(), shape: "sites", pairs: [...pairs.values()] };
  }

  part(site) {
    const { nodes, edges, ...head } = this.whole();
    const home = (id) => this.nodes.get(id).site;
    const own = edges.filter(({ source, target }) => home(source) === site || home(target) === site);
    const far = new Set(own.flatMap(({ source, target }) => [source, target]).filter((id) => home(id) !== site));
    const beyond = nodes.filter(({ id }) => far.has(id)).map(({ alarms: _, addresses: __, ...rest }) => rest);
    return { ...head, site, nodes: nodes.filter((node) => node.site === site), edges: own, beyond };
  }

  // Changes something and tells what differs.
  change() {
    const before = this.whole();
    const pick = (map) => [...map.keys()][this.roll(map.size)];
    const what = this.roll(6);
    if (what === 0) this.node(`a:n${this.seq}`);
    else if (what === 1) this.edge(`n${this.seq}`);
    else if (what === 2) this.edges.delete(pick(this.edges));
    else if (what === 3) {
      const gone = pick(this.nodes);
      for (const [id, { source, target }] of this.edges) if (source === gone || target === gone) this.edges.delete(id);
      this.nodes.delete(gone);
    } else if (what === 4) {
      const node = this.nodes.get(pick(this.nodes));
      if (this.roll(2)) node.site = `s${this.roll(5)}`;
      if (node.status) node.status = STATUS[this.roll(4)];
    } else this.edges.get(pick(this.edges)).state = STATES[this.roll(4)];
    this.count();
    this.seq += 1;
    const patch = { from: this.seq - 1, seq: this.seq, t: 0 };
    for (const [key, name] of [["n", "nodes"], ["e", "edges"], ["s", "sites"]]) {
      const old = new Map(before[name].map((one) => [one.id, one]));
      const now = this.whole()[name];
      const differs = (one) => ([member, value]) => member === "id" || JSON.stringify(value) !== JSON.stringify(old.get(one.id)?.[member]);
      const set = now.map((one) => Object.fromEntries(Object.entries(one).filter(differs(one)))).filter((one) => Object.keys(one).length > 1);
      const del = [...old.keys()].filter((id) => !now.some((one) => one.id === id));
      if (set.length + del.length > 0) patch[key] = { set, del };
    }
    return patch;
  }

  search(query) {
    const asked = new URLSearchParams(query);
    const ids = asked.get("ids")?.split(",") ?? [];
    const edges = ids.filter((id) => this.edges.has(id));
    const wanted = asked.has("ids")
      ? ids.filter((id) => this.nodes.has(id)).concat(edges.flatMap((id) => [this.edges.get(id).source, this.edges.get(id).target]))
      : [...this.nodes.values()].filter((node) => node.status === { "kind:agent state:down": "offline", "kind:agent state:late": "stale" }[asked.get("q")]).map(({ id }) => id);
    const nodes = wanted.map((id) => this.nodes.get(id));
    return { nodes: wanted, edges, hits: structuredClone(nodes.slice(0, 20)), sites: [...new Set(nodes.map(({ site }) => site))] };
  }
}

// A page that holds parts of it. Answers wait until `settle` lets them come.
async function desk(manager, chosen = []) {
  const d = { scene: null, waiting: [], timers: [], asked: [], searched: [], resyncs: 0 };
  const answer = (make) => new Promise((resolve, reject) => {
    const made = make();
    d.waiting.push(() => (made ? resolve(made) : reject(Object.assign(new Error("none"), { status: 404 }))));
  });
  d.parts = new Parts({
    ask: (query) => {
      d.asked.push(query);
      const { shape, site } = Object.fromEntries(new URLSearchParams(query));
      return answer(() => (shape === "sites" ? manager.overview() : manager.sites.has(site) ? manager.part(site) : null));
    },
    search: (query) => {
      d.searched.push(query);
      return answer(() => manager.search(query));
    },
    scene: () => d.scene,
    chosen: () => chosen,
    resync: () => (d.resyncs += 1),
    changed: () => d.parts.settle(d.scene),
    failed: () => assert.fail("nothing fails here"),
    setTimeout: (run) => d.timers.push(run),
  });
  d.settle = async () => {
    for (let idle = 0; idle < 3; idle += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (d.waiting.length + d.timers.length > 0) idle = 0;
      for (const come of d.waiting.splice(0)) come();
      for (const run of d.timers.splice(0)) run();
    }
  };
  d.hear = (patch) => {
    assert.equal(applyPatch(d.scene, patch), "applied");
    d.parts.settle(d.scene);
  };
  d.want = (...sites) => d.parts.want({ wanted: sites, circles: [] });
  const picture = d.parts.picture(manager.overview(), "");
  await d.settle();
  d.scene = fromSnapshot(await picture);
  return d;
}

const held = (scene, open) => [...scene.nodes.values()].filter(({ site, n }) => n === undefined && open.has(site)).sort((a, b) => (a.id < b.id ? -1 : 1));

// Against the whole: the same counts, and of open sites the same nodes and links.
function same(d, manager, about) {
  const whole = fromSnapshot(manager.whole());
  assert.deepEqual(counts(d.scene), counts(whole), about);
  const open = d.parts.open;
  assert.deepEqual(held(d.scene, open), held(whole, open), about);
  const edges = (scene) => [...scene.edges.values()].filter(({ n }) => n === undefined).filter(({ source, target }) => [source, target].some((id) => open.has(whole.nodes.get(id)?.site))).sort((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(edges(d.scene), edges(whole), about);
  for (const { source, target } of d.scene.edges.values()) assert.ok(d.scene.nodes.has(source) && d.scene.nodes.has(target), about);
  for (const [site, members] of lists(d.scene).inSite) assert.equal(members.count, lists(whole).inSite.get(site).count, about);
}

test("sites first: counts of all, nodes of what is open, and the worst of all", async () => {
  const manager = new Manager(dice(7));
  const d = await desk(manager);
  same(d, manager, "sites only");
  assert.equal([...d.scene.nodes.values()].every(({ n }) => n > 0), true);
  assert.deepEqual(d.scene.part.worst.map((node) => nodeRank(node)), d.scene.part.worst.map((node) => nodeRank(node)).sort((a, b) => a - b));
  d.want("s1");
  d.want("s1", "s3");
  await d.settle();
  same(d, manager, "two open");
  assert.deepEqual(d.asked.filter((query) => query.includes("site=")).length, 2, "each is asked for once");
});

test("whatever changes while parts are held and fetched, they end as the whole would", async () => {
  for (let seed = 1; seed <= 120; seed += 1) {
    const roll = dice(seed);
    const manager = new Manager(roll);
    const d = await desk(manager);
    for (let step = 0; step < 40; step += 1) {
      if (roll(4) === 0) d.want(`s${roll(5)}`);
      d.hear(manager.change());
      // Some answers come late, after further patches.
      if (roll(3) === 0) for (const come of d.waiting.splice(0)) come();
      await Promise.resolve();
    }
    await d.settle();
    same(d, manager, `seed ${seed}`);
    assert.equal(d.resyncs, 0);
  }
});

test("what is chosen comes with its site, and what is nowhere is asked for once", async () => {
  const manager = new Manager(dice(3));
  const [link] = [...manager.edges.values()].filter(({ source, target }) => manager.nodes.get(source).site !== manager.nodes.get(target).site);
  const d = await desk(manager, [link.id]);
  assert.ok(d.scene.edges.has(link.id));
  assert.equal(d.parts.open.size, 2);
  const [far] = [...manager.nodes.values()].filter(({ site }) => !d.parts.open.has(site));
  let next = 0;
  assert.equal(d.parts.lacks([{ type: "node", id: far.id }], () => (next += 1)), true);
  await d.settle();
  assert.deepEqual([next, d.scene.nodes.get(far.id)], [1, manager.nodes.get(far.id)]);
  assert.equal(d.parts.lacks([{ type: "node", id: far.id }, null], () => (next += 1)), false);
  assert.equal(d.parts.lacks([{ type: "node", id: "a:nobody" }], () => (next += 1)), true);
  await d.settle();
  assert.deepEqual([next, d.parts.lacks([{ type: "node", id: "a:nobody" }], () => (next += 1))], [2, false]);
});

test("however many are chosen, they are looked up as many at once as the manager takes", async () => {
  const manager = new Manager(dice(4));
  const d = await desk(manager, [...manager.nodes.keys(), ...Array.from({ length: 450 }, (_, i) => `a:no${i}`)]);
  assert.deepEqual(d.searched.filter((query) => query.startsWith("ids=")).map((query) => new URLSearchParams(query).get("ids").split(",").length), [200, 200, 90]);
  assert.equal(d.parts.open.size, new Set([...manager.nodes.values()].map(({ site }) => site)).size);
  same(d, manager, "all open");
});

test("what a search found lights the sites that are not held", async () => {
  const manager = new Manager(dice(5));
  const d = await desk(manager);
  const some = [...manager.nodes.values()].find(({ site }) => site === "s2");
  const found = d.parts.found({ nodes: [some.id], edges: [], sites: ["s2"] });
  const lit = [...d.scene.nodes.values()].filter(({ id }) => found.nodes.includes(id));
  assert.ok(lit.length > 0 && lit.every(({ site }) => site === "s2"));
  assert.deepEqual(found.edges, []);
  assert.equal(d.parts.found(null), null);
});

test("of too many held nodes, the sites drawn longest ago are let go", async () => {
  const manager = new Manager(dice(9));
  const d = await desk(manager);
  for (const site of d.scene.sites.values()) site.counts.online += 1500;
  for (const site of ["s0", "s1", "s2"]) {
    d.want(site);
    await d.settle();
  }
  assert.deepEqual([...d.parts.open], ["s1", "s2"]);
  d.parts.want({ wanted: [], circles: [{ id: "s1" }] });
  d.want("s3");
  await d.settle();
  assert.deepEqual([...d.parts.open], ["s1", "s3"]);
});
