// Keeps a scene equal to the manager's: a snapshot, then patches; when in doubt, a new snapshot.
// What it touches of the browser is handed in, so that the rules can be tested without one.

import { applyPatch, fromSnapshot } from "./scene.js";

const SILENT_MS = 5000;
const HIDDEN_MS = 60000;
const REPLAY_MS = 1500;
const RETRY_MS = [2000, 4000, 8000, 15000, 30000];

export class Feed {
  // env: {fetchPicture() -> Promise, openStream() -> EventSource, setTimeout, clearTimeout};
  // on: {scene(scene), patch(patch), layout(layout), status({state, since})}
  // where state is live, lost, signed-out or hidden.
  constructor(env, on) {
    this.env = env;
    this.on = on;
    this.scene = null;
    this.held = [];
    this.fetching = false;
    this.again = false;
    this.failures = 0;
    this.timers = {};
    this.clockOffset = 0;
  }

  start() {
    this.stopped = false;
    this.open();
    return this.resync();
  }

  after(name, ms, run) {
    this.env.clearTimeout(this.timers[name]);
    this.timers[name] = this.env.setTimeout(run, ms);
  }

  cancel(name) {
    this.env.clearTimeout(this.timers[name]);
    delete this.timers[name];
  }

  open() {
    this.close();
    const stream = this.env.openStream();
    this.stream = stream;
    const hear = (name, take) => stream.addEventListener(name, (event) => {
      if (this.stream !== stream) return;
      take(event.data ? JSON.parse(event.data) : {}, event.lastEventId);
    });
    hear("hello", (hello) => this.hello(hello));
    hear("patch", (patch, id) => {
      this.resumable = Boolean(id);
      this.patch(patch);
    });
    hear("layout", (layout) => this.layout(layout));
    hear("resync", () => this.resync());
    hear("bye", () => this.signedOut());
    stream.addEventListener("open", () => this.alive());
    stream.addEventListener("error", () => this.stream === stream && this.broken(stream.readyState === 2));
  }

  // Until it is started again, it keeps nothing equal: the map shows something else.
  stop() {
    this.stopped = true;
    this.close();
    for (const name of Object.keys(this.timers)) this.cancel(name);
    this.status = null;
  }

  close() {
    this.stream?.close();
    this.stream = null;
  }

  alive() {
    this.failures = 0;
    this.cancel("silent");
    this.cancel("reopen");
    this.tell("live");
  }

  // The browser reconnects by itself unless the answer forbade it.
  broken(final) {
    if (!this.timers.silent) this.after("silent", SILENT_MS, () => this.tell("lost"));
    if (!final) return;
    this.close();
    const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
    this.failures += 1;
    this.after("reopen", wait, () => {
      this.open();
      this.resync();
    });
  }

  tell(state) {
    if (this.status === state) return;
    this.status = state;
    this.on.status({ state, since: this.scene?.t ?? null });
  }

  signedOut() {
    this.close();
    this.cancel("silent");
    this.cancel("reopen");
    this.tell("signed-out");
  }

  hello({ epoch, seq, layout_rev: rev, now }) {
    this.alive();
    if (now) this.clockOffset = now - this.env.now();
    const scene = this.scene;
    if (!scene) this.heard = { epoch, seq };
    if (!scene) return;
    if (epoch !== scene.epoch || rev !== scene.layoutRev || seq < scene.seq) this.resync();
    else if (seq > scene.seq && !this.resumable) this.resync();
    else if (seq > scene.seq) this.after("replay", REPLAY_MS, () => this.scene.seq < seq && this.resync());
  }

  patch(patch) {
    if (!this.scene || this.fetching) {
      this.held.push(patch);
      return;
    }
    const outcome = applyPatch(this.scene, patch);
    if (outcome === "gap") {
      this.held.push(patch);
      this.resync();
    } else if (outcome === "applied") {
      this.on.patch(patch);
    }
  }

  layout(layout) {
    if (this.scene && !this.fetching) this.on.layout(layout);
  }

  // One snapshot at a time; a wish that comes meanwhile is granted afterwards.
  async resync() {
    if (this.fetching) {
      this.again = true;
      return;
    }
    this.fetching = true;
    try {
      this.scene = fromSnapshot(await this.env.fetchPicture());
      this.fetching = false;
      if (this.stopped) return;
      const held = this.held.sort((a, b) => a.seq - b.seq);
      this.held = [];
      for (const patch of held) if (applyPatch(this.scene, patch) === "gap") this.again = true;
      // The stream may have begun after the snapshot was taken: what lies between never comes.
      const { heard } = this;
      this.heard = null;
      if (heard && (heard.epoch !== this.scene.epoch || heard.seq > this.scene.seq)) this.again = true;
      this.on.scene(this.scene);
    } catch (error) {
      this.fetching = false;
      if (this.stopped) return;
      if ([401, 403, 410].includes(error.status)) this.signedOut();
      else this.after("snapshot", 3000, () => this.resync());
      if (!this.scene) this.on.failed?.(error);
      return;
    }
    if (this.again) {
      this.again = false;
      await this.resync();
    }
  }

  // A hidden tab gives its connection back after a minute and catches up when it is shown.
  visibility(hidden) {
    if (this.stopped) return;
    if (hidden) {
      this.after("hidden", HIDDEN_MS, () => {
        this.close();
        this.cancel("silent");
        this.cancel("reopen");
        this.tell("hidden");
      });
      return;
    }
    this.cancel("hidden");
    if (this.status === "hidden") this.start();
  }
}
