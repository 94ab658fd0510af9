// The address tells what the map shows, so that a link shows it to others; so does the table.

import { byId } from "./dom.js";
import { read, write } from "./url.js";

const KEEP_MS = 300;

export class Address {
  // `page`: its state and sight, and what it does when the address leads elsewhere.
  constructor(page) {
    this.page = page;
    window.addEventListener("popstate", () => this.restored());
    document.addEventListener("kattila:address", () => page.scene && this.save("replaceState"));
  }

  text() {
    const { page } = this;
    return write({ ...page.state, view: page.sight.fitted ? null : page.sight.view });
  }

  remember(push) {
    clearTimeout(this.remembering);
    if (push) this.save("pushState");
    else this.remembering = setTimeout(() => this.save("replaceState"), KEEP_MS);
  }

  save(how) {
    const search = this.text();
    this.tables();
    if (search !== location.search) history[how](null, "", `${location.pathname}${search}`);
  }

  // The table shows the same: what is searched for, at the time that is shown.
  tables() {
    const { page } = this;
    const { query, at } = page.state;
    const params = new URLSearchParams({ ...(query && { q: query }), ...(at && { at }) });
    byId("table").search = params;
  }

  restored() {
    const { page } = this;
    if (!page.scene) return;
    const { view, at, ...state } = read(location.search);
    const { only: rows, query } = Object.assign(page.state, state);
    if (at !== page.state.at) page.travel(at === null ? null : String(at));
    page.legend.pressed = rows;
    byId("anon").checked = page.state.anon;
    page.prune();
    page.tools.ask();
    page.tools.draw();
    page.pressed();
    page.search.with((search) => search.set(query));
    page.showPanel();
    page.describe();
    if (view) page.sight.move(view, true);
    else page.sight.fit();
  }
}
