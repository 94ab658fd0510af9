import assert from "node:assert/strict";
import test from "node:test";
import { Announcer, describe, summary } from "../../static/js/a11y.js";
import { inOrder, subjectOf } from "../../static/js/alarms.js";
import { ago, iso, plural, span } from "../../static/js/format.js";
import { fromSnapshot } from "../../static/js/scene.js";
import { read, write } from "../../static/js/url.js";
import { because, bytes, signed } from "../../static/js/words.js";
import { picture } from "./fixture.mjs";

test("spans, sizes and counts as people read them", () => {
  assert.deepEqual([-3, 119, 120, 7199, 7200, 172800].map(span), ["0 s", "119 s", "2 min", "119 min", "2 h", "2 d"]);
  assert.deepEqual([null, 0, 999, 1290, 34567890].map(bytes), ["—", "0 B", "999 B", "1.3 kB", "35 MB"]);
  assert.deepEqual([plural(1, "link"), plural(2, "link")], ["1 link", "2 links"]);
  assert.deepEqual([signed(0), signed(5), signed(-600)], ["none", "+5 s", "−10 min"]);
  assert.deepEqual([ago(null, 5), ago(5, 7), iso(0)], ["never", "2 s ago", "1970-01-01T00:00:00Z"]);
});

test("the line for screen readers says name, role, state, links and site", () => {
  const scene = fromSnapshot(picture());
  assert.equal(describe(scene, { type: "node", id: "a:oul-gw2" }), "oul-gw2, gateway, down, 2 links, 2 down, oul");
  assert.equal(describe(scene, { type: "edge", id: "e2" }), "Link hel-gw1 to oul-gw2, down");
  assert.equal(describe(scene, { type: "site", id: "lab/hel" }), "Site hel, 3 nodes, 0 down, 0 late");
  assert.equal(describe(scene, null), "3 agents, 1 down, 1 late, 4 links, 2 down");
  assert.equal(describe(scene, { type: "node", id: "gone" }), "");
});

test("changes are told as a summary", () => {
  const seen = (nodes, edges) => ({ nodes: new Map(nodes.map(([name, look]) => [`a:${name}`, { name, look }])), edges: new Set(Object.keys(edges)), dead: new Set(Object.keys(edges).filter((id) => edges[id] === "down")) });
  const before = seen([["a", "up"], ["b", "up"], ["c", "down"]], { e: "up", f: "down", g: "down" });
  const after = seen([["a", "down"], ["b", "late"], ["c", "up"], ["d", "down"]], { e: "down", f: "up", h: "down" });
  assert.equal(summary(before, after), "1 agent went down: a. 1 agent late: b. 1 agent reporting again: c. 1 link went down. 1 link no longer down");
  assert.equal(summary(before, before), "");
});

test("changes are read out once somebody asked for it, in one summary every ten seconds at most", () => {
  let [now, timers, kept] = [0, [], false];
  const world = { now: () => now, later: (run, ms) => timers.push([now + ms, run]), kept: () => kept, keep: (on) => (kept = on) };
  const [line, news] = [{ textContent: "" }, { textContent: "" }];
  const scene = fromSnapshot(picture());
  const names = [...scene.nodes.values()].filter(({ kind }) => kind === "agent").slice(0, 3);
  const announcer = new Announcer(null, line, news, world);
  // What was said so far, and when.
  const said = [];
  const until = (then) => {
    for (timers.sort((a, b) => a[0] - b[0]); timers[0]?.[0] <= then; timers.sort((a, b) => a[0] - b[0])) {
      const [at, run] = timers.shift();
      now = Math.max(now, at);
      run();
      if (news.textContent) said.push([now, news.textContent]);
      news.textContent = "";
    }
    now = then;
  };
  const set = (node, status) => {
    node.status = status;
    announcer.changed(scene);
  };
  for (const node of names) node.status = "online";
  set(names[0], "offline");
  until(20000);
  assert.deepEqual([announcer.on, said, timers.length], [false, [], 0], "off until somebody asks");
  assert.match(announcer.toggle(scene), /^Changes are read out/);
  assert.equal(kept, true);
  announcer.changed(scene);
  until(30000);
  assert.deepEqual(said, [], "what was so before is no change");
  set(names[1], "offline");
  until(30100);
  set(names[2], "offline");
  set(names[0], "online");
  set(names[1], "online");
  until(35000);
  set(names[1], "offline");
  until(70000);
  assert.deepEqual(said, [[30000, `1 agent went down: ${names[1].label}`], [40000, `1 agent went down: ${names[2].label}. 1 agent reporting again: ${names[0].label}`]]);
  set(names[2], "online");
  announcer.toggle(scene);
  until(90000);
  assert.deepEqual([said.length, new Announcer(null, line, news, { ...world, kept: () => true }).on], [2, true], "no longer; and as it was chosen");
});

test("alarms: not acknowledged first, then the worst, then the newest", () => {
  const alarm = (id, severity, state, raised_at) => ({ id, severity, state, raised_at });
  const sorted = inOrder([alarm(1, "critical", "acknowledged", 9), alarm(2, "warning", "active", 9), alarm(3, "major", "active", 1), alarm(4, "major", "returned", 5)]);
  assert.deepEqual(sorted.map((a) => a.id), [4, 3, 2, 1]);
  const follows = inOrder([{ ...alarm(5, "critical", "active", 9), inhibited_by: 6 }, { ...alarm(6, "info", "acknowledged", 1), inhibited_by: null }]);
  assert.deepEqual(follows.map((a) => a.id), [6, 5], "a cause before what follows from it");
});

test("the address holds selection, search and view, and survives nonsense", () => {
  const state = { ...read(""), selected: { type: "node", id: "x:lab:AB+/=~1" }, query: "hel & oul", problems: true, at: 1795214300, view: { x: -12.5, y: 3, k: 0.25 } };
  assert.deepEqual(read(write(state)), state);
  assert.equal(write(read("")), "");
  assert.deepEqual(read("?sel=wat~1&x=a&y=1&k=-2&p=7&hops=nine&layers=wireguard,wires"), read(""));
});

test("an alarm leads to the link or the agent it is about", () => {
  assert.deepEqual(subjectOf({ kind: "edge.down", subject: "ab12", agent_id: "gw" }), { type: "edge", id: "ab12" });
  assert.deepEqual(subjectOf({ kind: "iface.down", subject: "wg0", agent_id: "gw" }), { type: "node", id: "a:gw" });
  assert.equal(subjectOf({ kind: "dns_psk.stale", subject: "manager", agent_id: null }), null);
});

test("a reason does not repeat the state of its chip", () => {
  assert.equal(because("down: no answer for 9 min"), "No answer for 9 min.");
  assert.equal(because("half configured: b does not list a"), "B does not list a.");
  assert.equal(because("No handshake yet."), "No handshake yet.");
  assert.equal(because(""), "");
});
