// A small client of the Chrome DevTools Protocol over Chromium's pipe (file descriptors 3 and
// 4, messages ended by NUL): enough to open pages, press keys, and read what happened. It needs
// nothing that Node does not bring.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
// Only a broken page waits this long; a busy machine needs some of it.
const DEADLINE_MS = 60000;

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
];

export function chromiumPath() {
  const found = [process.env.CHROMIUM, ...PLACES].find((path) => path && existsSync(path));
  if (!found) throw new Error("Chromium is missing: apt-get install chromium, or name it in CHROMIUM");
  return found;
}

export class Browser {
  static async launch() {
    const profile = mkdtempSync(join(tmpdir(), "kattila-chromium-"));
    const child = spawn(chromiumPath(), [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    return new Browser(child, profile);
  }

  constructor(child, profile) {
    Object.assign(this, { child, profile, next: 1, waiting: new Map(), sessions: new Map() });
    this.gone = new Promise((resolve) => child.once("exit", resolve));
    let rest = Buffer.alloc(0);
    child.stdio[4].on("data", (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
        this.hear(JSON.parse(rest.subarray(0, end).toString()));
        rest = rest.subarray(end + 1);
      }
    });
    child.once("exit", (code) => {
      for (const { reject, method } of this.waiting.values()) reject(new Error(`Chromium ended with ${code} during ${method}`));
      this.waiting.clear();
    });
  }

  hear({ id, result, error, method, params, sessionId }) {
    if (id === undefined) {
      this.sessions.get(sessionId)?.event(method, params);
      return;
    }
    const { resolve, reject, method: asked } = this.waiting.get(id) ?? {};
    this.waiting.delete(id);
    if (error) reject?.(new Error(`${asked}: ${error.message}`));
    else resolve?.(result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.next;
    this.next += 1;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, method });
      this.child.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  // A page with cookies of its own. `options`: {width, height, scale, dark, scripts, reducedMotion, forcedColours}
  async page(options = {}) {
    const { width = 1440, height = 900, scale = 1, dark = false, scripts = true, reducedMotion = false, forcedColours = false } = options;
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, browserContextId);
    this.sessions.set(sessionId, page);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.send(`${domain}.enable`);
    await page.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: scale, mobile: width < 600 });
    await page.send("Emulation.setEmulatedMedia", {
      features: [
        { name: "prefers-color-scheme", value: dark ? "dark" : "light" },
        { name: "prefers-reduced-motion", value: reducedMotion ? "reduce" : "no-preference" },
        { name: "forced-colors", value: forcedColours ? "active" : "none" },
      ],
    });
    if (!scripts) await page.send("Emulation.setScriptExecutionDisabled", { value: true });
    return page;
  }

  async close() {
    // The answer may be lost with the pipe; the end of the process is what counts.
    this.send("Browser.close").catch(() => {});
    await this.gone;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 20 });
  }
}

class Page {
  constructor(browser, sessionId, context) {
    Object.assign(this, { browser, sessionId, context, complaints: [], loads: 0, listeners: new Set() });
  }

  send(method, params = {}) {
    return this.browser.send(method, params, this.sessionId);
  }

  event(method, params) {
    if (method === "Page.loadEventFired") this.loads += 1;
    if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) this.complaints.push(params.args.map((arg) => arg.value ?? arg.description).join(" "));
    // Violations of the policy and failed loads are log entries.
    if (method === "Log.entryAdded" && params.entry.level === "error") this.complaints.push(`${params.entry.text} ${params.entry.url ?? ""}`);
    for (const listener of this.listeners) listener(method, params);
  }

  open(url) {
    return this.loading(() => this.send("Page.navigate", { url }), `${url} to load`);
  }

  // Does what leads to another page, and waits until that is there.
  async loading(act, what) {
    const loads = this.loads;
    await act();
    await this.until(() => this.loads > loads, what);
  }

  // Runs an expression in the page and returns its value.
  async read(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  // Waits until a check (a function, or an expression in the page) holds, and returns its value.
  async until(check, what = String(check)) {
    const limit = Date.now() + DEADLINE_MS;
    for (;;) {
      const value = typeof check === "function" ? await check() : await this.read(check);
      if (value) return value;
      if (Date.now() > limit) throw new Error(`waited ${DEADLINE_MS / 1000} s in vain for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  // `modifiers`: 8 for Shift.
  async press(key, modifiers = 0) {
    const named = { Enter: 13, Escape: 27, Tab: 9, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40 };
    const text = named[key] && key !== "Enter" ? undefined : key === "Enter" ? "\r" : key;
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, modifiers, text, windowsVirtualKeyCode: named[key] ?? key.toUpperCase().charCodeAt(0) });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key, modifiers, windowsVirtualKeyCode: named[key] ?? key.toUpperCase().charCodeAt(0) });
  }

  type(text) {
    return this.send("Input.insertText", { text });
  }

  async click(x, y) {
    for (const type of ["mousePressed", "mouseReleased"]) await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
  }

  async wheel(x, y, deltaY) {
    await this.send("Input.dispatchMouseEvent", { type: "mouseWheel", x, y, deltaX: 0, deltaY });
  }

  // `modifiers`: 8 for Shift.
  async drag(x, y, dx, dy, modifiers = 0) {
    const mouse = (type, px, py) => this.send("Input.dispatchMouseEvent", { type, x: px, y: py, button: "left", clickCount: 1, buttons: 1, modifiers });
    await mouse("mousePressed", x, y);
    for (let i = 1; i <= 5; i += 1) await mouse("mouseMoved", x + (dx * i) / 5, y + (dy * i) / 5);
    await mouse("mouseReleased", x + dx, y + dy);
  }

  // Of the whole window, or of one element of it.
  async screenshot(path, selector = null) {
    const box = selector && (await this.read(`document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().toJSON()`));
    const clip = box && { x: box.x, y: box.y, width: box.width, height: box.height, scale: 1 };
    const { data } = await this.send("Page.captureScreenshot", { format: "png", ...(clip && { clip }) });
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.from(data, "base64"));
  }
}
