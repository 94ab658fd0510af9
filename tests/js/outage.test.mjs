import assert from "node:assert/strict";
import test from "node:test";
import { before, diedAt } from "../../static/js/outage.js";
import { fromSnapshot } from "../../static/js/scene.js";
import { frozen } from "../../static/js/share.js";
import { edge, node, picture } from "./fixture.mjs";

const NONE = { from: 0, links: [], agents: [], alarms_raised: [], alarms_cleared: [] };
const link = (fate, at, labels = ["a", "b"]) => ({ id: "l1", labels, fate, before: "up", after: fate === "gone" ? null : "down", at: [at] });

test("what is well has not died; what is silent died when it was last heard, a link when it went down", () => {
  const scene = fromSnapshot(picture());
  const silent = node("a:x", "lab/hel", { status: "offline", seen_at: 900 });
  assert.equal(diedAt(scene, "node", node("a:y", "lab/hel", { status: "online" })), null);
  assert.equal(diedAt(scene, "node", silent), 900);
  assert.equal(diedAt(scene, "node", silent, { last_seen_at: 905 }), 905, "details know better");
  assert.equal(diedAt(scene, "edge", { ...edge("l", "a:x", "a:y", "down"), since: 800 }), 800);
  assert.equal(diedAt(scene, "edge", edge("l", "a:x", "a:y", "up")), null);
  const past = { ...scene, past: { at: 2000, since: { "a:x": 1100 } } };
  assert.equal(diedAt(past, "node", { ...silent, seen_at: null }), 1100);
  assert.equal(diedAt(past, "node", { ...silent, seen_at: null }, { told: { received_at: 910 } }), 910, "a report of then is kept");
});

test("what changed before is told once, the newest first, and nothing of what came after", () => {
  const alarm = (at, message, kind = "edge.down") => ({ id: 7, at, kind, severity: "major", message, agent_id: "b" });
  const lines = before({
    ...NONE,
    links: [link("lost", 500), link("restored", 700, ["c", "d"]), link("lost", 2000, ["late", "one"]), link("new", 30, ["found", "first"])],
    agents: [{ agent_id: "e", label: "e", fate: "restored", before: "offline", after: "online", at: [600] }, { agent_id: "b", label: "b", fate: "lost", before: "online", after: "stale", at: [400] }],
    alarms_raised: [alarm(510, "b - a down: last handshake 301 s ago"), alarm(450, "b: no report for 40 s", "agent.stale")],
    alarms_cleared: [alarm(650, "x - y down: last handshake 301 s ago")],
  }, [{ kind: "route.added", at: 550, subject: "10.0.0.0/8" }, { kind: "agent.status", at: 560, subject: "b" }], 1000);
  assert.deepEqual(lines.map(({ at, text }) => [at, text]), [
    [700, "c ⇄ d is back"], [650, "Over: x - y down"], [600, "e reports again"], [550, "route added: 10.0.0.0/8"], [510, "b - a down"], [450, "b: no report for 40 s"],
  ]);
  assert.equal(lines[0].href, "/links/l1");
});

test("a view of the map can be of one moment; what has its time already, or is no map, cannot", () => {
  assert.equal(frozen("/map?sel=node~a%3Ax", 1000), "/map?sel=node%7Ea%3Ax&at=1000");
  assert.equal(frozen("/", 1000), "/map?at=1000");
  assert.equal(frozen("/map?at=5", 1000), null);
  assert.equal(frozen("/alarms/7", 1000), null);
});
