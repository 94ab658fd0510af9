// What the browser tests share: the browser, visits, signing in, and asking whoever runs the
// manager for something to happen.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Browser } from "./cdp.mjs";

const ARTIFACTS = join(dirname(fileURLToPath(import.meta.url)), "../../artifacts");

export const artifact = (name) => join(ARTIFACTS, `${name}.png`);

// Expressions in the page: a number that the stage tells about itself, and whether it has drawn and
// the scripts have come that nobody waits for to see the picture.
export const stage = (name) => `Number(document.getElementById("stage").dataset.${name} ?? -1)`;
export const DRAWN = `${stage("drawnNodes")} + ${stage("drawnSites")} > 0 && document.getElementById("stage").dataset.complete === "true"`;
export const LIVE = `document.getElementById("live-state").textContent === "Live"`;

// Asks the runner (tests/it/browser.rs) by a line of its own.
export const please = (wish) => process.stdout.write(`\nplease ${wish}\n`);

export const healthy = (page, what) => assert.deepEqual(page.complaints, [], `${what}: the console must stay silent`);

export class Console {
  static async open(url) {
    return Object.assign(new Console(), { url: url.replace(/\/$/, ""), browser: await Browser.launch() });
  }

  close() {
    return this.browser.close();
  }

  // A page with cookies of its own, signed in if a token is given.
  async visit(path, { token = null, ...options } = {}) {
    const page = await this.browser.page(options);
    if (token) await this.signIn(page, token, "/settings");
    await page.open(this.url + path);
    return page;
  }

  async signIn(page, token, next) {
    await page.open(`${this.url}/login?next=${encodeURIComponent(next)}`);
    await this.tryToken(page, token);
    assert.equal(await page.read("location.pathname"), next);
    page.complaints.length = 0;
  }

  // Types a token into the sign-in page and sends it.
  async tryToken(page, token) {
    await page.until(`document.activeElement?.id === "token"`, "the token's field to have the focus");
    await page.type(token);
    await page.loading(() => page.press("Enter"), "the sign-in to be answered");
  }
}
