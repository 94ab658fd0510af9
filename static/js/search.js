// The search box over the map: the manager answers what a query asks for; a list of hits, chosen
// by pointer or by arrows and Enter.

import { byId, fill, getJson, h } from "./dom.js";
import { plural } from "./format.js";
import { look } from "./scene.js";
import { write } from "./url.js";
import { NODE_WORDS } from "./words.js";

const HITS = 20;
// From the last key to the question, so that a word is asked for once.
const PAUSE_MS = 150;

export class Search {
  // `verbs`: scene(), at() a time of the past or null, found({nodes, edges} or null, text),
  // choose(node), leave()
  constructor(form, verbs) {
    this.verbs = verbs;
    this.input = form.querySelector("input");
    this.list = form.querySelector("[role=listbox]");
    this.hits = [];
    this.active = -1;
    this.asked = 0;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(true).then(() => this.pick(this.hits[Math.max(0, this.active)]));
    });
    this.input.addEventListener("input", () => {
      this.active = -1;
      clearTimeout(this.pause);
      this.pause = setTimeout(() => this.ask(true), PAUSE_MS);
    });
    this.input.addEventListener("focus", () => this.ask(true));
    this.input.addEventListener("keydown", (event) => this.key(event));
    form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || this.close());
  }

  get text() {
    return this.input.value.trim();
  }

  set(text) {
    this.input.value = text;
    this.ask(false);
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.hits.length > 0) {
      event.preventDefault();
      const shown = Math.min(HITS, this.hits.length);
      this.active = (this.active + step + shown) % shown;
      this.draw(true);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.set("");
      this.close();
      this.verbs.leave();
    }
  }

  // Asks the manager; only the answer to the last question counts. `open` shows the list.
  async ask(open) {
    clearTimeout(this.pause);
    const { text } = this;
    this.asked += 1;
    const mine = this.asked;
    let found = null;
    this.problem = null;
    if (text !== "") {
      try {
        found = await getJson(`/api/v1/search?q=${encodeURIComponent(text)}${this.verbs.at() ? `&at=${this.verbs.at()}` : ""}`);
      } catch (error) {
        this.problem = error.detail ?? error.message;
      }
    }
    if (mine !== this.asked) return;
    const scene = this.verbs.scene();
    this.links = found?.edges.length ?? 0;
    // Of a map that is not held whole, the first are told.
    this.hits = scene?.part ? found?.hits ?? [] : scene && found ? found.nodes.map((id) => scene.nodes.get(id)).filter(Boolean) : [];
    this.all = scene?.part ? found?.nodes.length : this.hits.length;
    this.verbs.found(found, text);
    this.draw(open && text !== "");
  }

  pick(node) {
    if (!node) return;
    this.close();
    this.verbs.choose(node);
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  draw(open) {
    if (!open) {
      this.close();
      return;
    }
    const options = this.hits.slice(0, HITS).map((node, i) => h("li", {
      id: `hit-${i}`, role: "option", "aria-selected": String(i === this.active),
      onpointerdown: (event) => {
        event.preventDefault();
        this.pick(node);
      },
    }, h("span", { class: "grow" }, node.label), h("span", { class: "muted" }, `${NODE_WORDS[look(node)]} ${node.addresses[0] ?? ""}`)));
    const rest = this.all - options.length;
    const line = (text) => h("li", { class: "muted", role: "option", "aria-disabled": "true" }, text);
    fill(this.list, options,
      this.problem && line(this.problem),
      !this.problem && this.hits.length === 0 && line(`No node matches ${this.text}`),
      rest > 0 && line(`and ${plural(rest, "more", "more")}`),
      this.links > 0 && line(plural(this.links, "link")));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    if (this.active >= 0) this.input.setAttribute("aria-activedescendant", `hit-${this.active}`);
    else this.input.removeAttribute("aria-activedescendant");
  }
}

// Over the map of a page.
export const searchOf = (page) => new Search(byId("search"), {
  scene: () => page.scene,
  at: () => page.scene?.past?.at ?? null,
  found: (found, text) => {
    page.found = page.scene?.part?.found(found) ?? found;
    page.state.query = text;
    page.refilter();
    // What nothing matches would only be a pale map. Of the past, the bar tells the time.
    const none = found?.nodes.length + found?.edges.length === 0;
    if (!page.scene?.past && (none || page.noMatch)) page.note(none ? `No agent or link matches ${text}.` : null, `/map${write({ ...page.state, query: "" })}`, "Clear the search");
    page.noMatch = none;
  },
  choose: (node) => {
    page.choose({ type: "node", id: node.id }, true);
    page.stage.focus();
  },
  leave: () => page.stage.focus(),
});
