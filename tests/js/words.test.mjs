import assert from "node:assert/strict";
import test from "node:test";
import { describe, summary } from "../../static/js/a11y.js";
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
  const before = new Map([["a", "up"], ["b", "up"], ["c", "down"]]);
  assert.equal(summary(before, new Map([["a", "down"], ["b", "up"], ["c", "up"], ["d", "down"]])), "1 agent went down: a. 1 agent reporting again: c");
  assert.equal(summary(before, before), "");
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
