// The search box over the map: a list of hits, chosen by pointer or by arrows and Enter.

import { fill, h } from "./dom.js";
import { NODE_WORDS, plural } from "./format.js";
import { look, search } from "./scene.js";

const HITS = 20;

export class Search {
  // `verbs`: scene(), found(nodes or null, text), choose(node)
  constructor(form, verbs) {
    this.verbs = verbs;
    this.input = form.querySelector("input");
    this.list = form.querySelector("[role=listbox]");
    this.hits = [];
    this.active = -1;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const hit = this.hits[Math.max(0, this.active)];
      if (hit) this.pick(hit);
    });
    this.input.addEventListener("input", () => this.update(true));
    this.input.addEventListener("focus", () => this.update(true));
    this.input.addEventListener("keydown", (event) => this.key(event));
    form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || this.close());
  }

  get text() {
    return this.input.value;
  }

  set(text) {
    this.input.value = text;
    this.update(false);
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

  update(open) {
    const scene = this.verbs.scene();
    const searching = this.text.trim() !== "";
    this.hits = scene && searching ? search(scene, this.text) : [];
    this.active = -1;
    this.verbs.found(scene && searching ? this.hits : null, this.text);
    this.draw(open && searching);
  }

  pick(node) {
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
    const rest = this.hits.length - options.length;
    fill(this.list, options,
      this.hits.length === 0 && h("li", { class: "muted", role: "option", "aria-disabled": "true" }, `No node matches ${this.text.trim()}`),
      rest > 0 && h("li", { class: "muted", role: "option", "aria-disabled": "true" }, `and ${plural(rest, "more", "more")}`));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    if (this.active >= 0) this.input.setAttribute("aria-activedescendant", `hit-${this.active}`);
    else this.input.removeAttribute("aria-activedescendant");
  }
}
