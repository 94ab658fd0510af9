// A newcomer's page before the first report: keeps telling why the last one was refused.

import { getJson } from "./dom.js";

const EVERY_MS = 5000;

export class Start {
  constructor(line) {
    this.line = line;
  }

  // Asks now and again for as long as `waiting` holds.
  watch(waiting) {
    if (this.timer || !waiting()) return;
    this.ask();
    this.timer = setInterval(() => {
      if (!waiting()) {
        clearInterval(this.timer);
        this.timer = null;
      } else if (!document.hidden) {
        this.ask();
      }
    }, EVERY_MS);
  }

  async ask() {
    // The live state tells already when the manager is away.
    const [last] = await getJson("/api/v1/refusals?limit=1").catch(() => []);
    const text = last && `Last refused: ${last.detail}`;
    if (text && this.line.textContent !== text) this.line.textContent = text;
  }
}
