import assert from "node:assert/strict";
import test from "node:test";
import { Feed } from "../../static/js/sse.js";
import { picture } from "./fixture.mjs";

// A browser of the feed's needs, whose time stands still until `pass` is called.
function world() {
  const w = { streams: [], fetches: [], statuses: [], scenes: 0, patches: 0, timers: new Map(), now: 0, next: 1 };
  const env = {
    fetchPicture: () => new Promise((resolve, reject) => w.fetches.push({ resolve, reject })),
    openStream: () => {
      const stream = {
        listeners: {}, readyState: 0, closed: false,
        addEventListener: (name, run) => (stream.listeners[name] = run),
        close: () => (stream.closed = true),
        say: (name, data, lastEventId = "") => stream.listeners[name]({ data: data === undefined ? undefined : JSON.stringify(data), lastEventId }),
      };
      w.streams.push(stream);
      return stream;
    },
    setTimeout: (run, ms) => {
      const id = w.next;
      w.next += 1;
      w.timers.set(id, { run, at: w.now + ms });
      return id;
    },
    clearTimeout: (id) => w.timers.delete(id),
    now: () => 5000,
  };
  w.feed = new Feed(env, { scene: () => (w.scenes += 1), patch: () => (w.patches += 1), status: ({ state }) => w.statuses.push(state) });
  w.pass = (ms) => {
    w.now += ms;
    for (const [id, { run, at }] of [...w.timers]) {
      if (at <= w.now) {
        w.timers.delete(id);
        run();
      }
    }
  };
  w.answer = async (seq = 10, epoch = "one") => {
    w.fetches.shift().resolve({ ...picture(), seq, epoch });
    await new Promise(setImmediate);
  };
  return w;
}

const patch = (from, seq) => ({ from, seq, t: 1100, n: { set: [{ id: "a:hel-db1", label: `v${seq}` }], del: [] } });
const hello = (seq, epoch = "one") => ({ epoch, seq, layout_rev: 1, now: 5010 });

async function started() {
  const w = world();
  w.feed.start();
  w.streams[0].say("hello", hello(10));
  await w.answer(10);
  return w;
}

test("patches that come before the snapshot are held and then applied", async () => {
  const w = world();
  w.feed.start();
  w.streams[0].say("patch", patch(9, 10), "one:10");
  w.streams[0].say("patch", patch(10, 11), "one:11");
  assert.equal(w.patches, 0);
  await w.answer(10);
  assert.equal(w.feed.scene.seq, 11);
  assert.equal(w.feed.scene.nodes.get("a:hel-db1").label, "v11");
  assert.deepEqual([w.scenes, w.fetches.length], [1, 0]);
});

test("a stream that begins after the snapshot was taken asks for another", async () => {
  for (const later of [hello(11), hello(10, "two")]) {
    const w = world();
    w.feed.start();
    w.streams[0].say("hello", later);
    await w.answer(10);
    assert.equal(w.fetches.length, 1, "what lies between never comes by itself");
    await w.answer(later.seq, later.epoch);
    assert.deepEqual([w.feed.scene.seq, w.feed.scene.epoch, w.fetches.length], [later.seq, later.epoch, 0]);
  }
});

test("a gap asks for one snapshot, and what comes meanwhile is not lost", async () => {
  const w = await started();
  w.streams[0].say("patch", patch(12, 13), "one:13");
  w.streams[0].say("patch", patch(13, 14), "one:14");
  assert.equal(w.fetches.length, 1);
  await w.answer(13);
  assert.equal(w.feed.scene.seq, 14);
  assert.equal(w.fetches.length, 0);
});

test("a snapshot older than the held patches is fetched again", async () => {
  const w = await started();
  w.streams[0].say("patch", patch(12, 13), "one:13");
  await w.answer(11);
  assert.equal(w.fetches.length, 1);
  await w.answer(13);
  assert.equal(w.feed.scene.seq, 13);
});

test("resync, another epoch and another layout ask for a snapshot", async () => {
  for (const [name, data] of [["resync", { reason: "lag" }], ["hello", hello(10, "two")], ["hello", { ...hello(10), layout_rev: 2 }]]) {
    const w = await started();
    w.streams[0].say(name, data);
    assert.equal(w.fetches.length, 1, name);
  }
});

test("a layout is handed on, unless the map is being fetched", async () => {
  const w = await started();
  const layouts = [];
  w.feed.on.layout = (layout) => layouts.push(layout.layout_rev);
  w.streams[0].say("layout", { layout_rev: 2, moved: [] });
  w.feed.resync();
  w.streams[0].say("layout", { layout_rev: 3, moved: [] });
  assert.deepEqual(layouts, [2]);
});

test("after a resumed stream the replay is awaited before a snapshot", async () => {
  const w = await started();
  w.streams[0].say("patch", patch(10, 11), "one:11");
  w.streams[0].say("hello", hello(13));
  assert.equal(w.fetches.length, 0);
  w.streams[0].say("patch", patch(11, 13), "one:13");
  w.pass(2000);
  assert.equal(w.fetches.length, 0);
  w.streams[0].say("hello", hello(15));
  w.pass(2000);
  assert.equal(w.fetches.length, 1, "the replay never came");
});

test("the loss of the stream is told after five seconds and taken back", async () => {
  const w = await started();
  w.streams[0].say("error");
  w.pass(4000);
  assert.deepEqual(w.statuses, ["live"]);
  w.pass(1500);
  assert.deepEqual(w.statuses, ["live", "lost"]);
  w.streams[0].say("open");
  assert.deepEqual(w.statuses, ["live", "lost", "live"]);
});

test("a stream the browser gave up is opened again, ever more slowly", async () => {
  const w = await started();
  w.streams[0].readyState = 2;
  w.streams[0].say("error");
  w.pass(2000);
  assert.equal(w.streams.length, 2);
  w.streams[1].readyState = 2;
  w.streams[1].say("error");
  w.pass(2000);
  assert.equal(w.streams.length, 2);
  w.pass(2000);
  assert.equal(w.streams.length, 3);
});

test("a hidden tab closes after a minute and catches up when shown", async () => {
  const w = await started();
  w.feed.visibility(true);
  w.pass(59000);
  assert.equal(w.streams[0].closed, false);
  w.pass(2000);
  assert.equal(w.streams[0].closed, true);
  w.feed.visibility(false);
  assert.deepEqual([w.streams.length, w.fetches.length], [2, 1]);
});

test("a tab hidden for a moment keeps its stream", async () => {
  const w = await started();
  w.feed.visibility(true);
  w.pass(30000);
  w.feed.visibility(false);
  w.pass(60000);
  assert.deepEqual([w.streams.length, w.streams[0].closed], [1, false]);
});

test("a feed that is stopped hears and asks nothing, and starts anew", async () => {
  const w = await started();
  w.feed.resync();
  w.feed.stop();
  assert.equal(w.streams[0].closed, true);
  await w.answer(50);
  assert.equal(w.scenes, 1, "an answer that comes too late is not shown");
  w.feed.visibility(true);
  w.feed.visibility(false);
  w.pass(200000);
  assert.deepEqual([w.streams.length, w.fetches.length], [1, 0]);
  w.feed.start();
  assert.deepEqual([w.streams.length, w.fetches.length], [2, 1]);
  w.streams[1].say("open");
  assert.equal(w.statuses.at(-1), "live");
});

test("an ended session is told, not retried", async () => {
  const w = await started();
  w.streams[0].say("bye", {});
  w.pass(100000);
  assert.equal(w.streams.length, 1);
  assert.equal(w.statuses.at(-1), "signed-out");
  const other = world();
  other.feed.start();
  other.fetches.shift().reject(Object.assign(new Error("no"), { status: 401 }));
  await new Promise(setImmediate);
  assert.equal(other.statuses.at(-1), "signed-out");
});

test("the manager's clock is taken from hello", async () => {
  const w = await started();
  assert.equal(w.feed.clockOffset, 10);
});
