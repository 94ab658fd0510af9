// The legend: its rows are in the page; here they get their counts and act as filters.

import { counts } from "./scene.js";

// Where there is no room beside the map, the legend is the first line of the sheet, closed; where there
// is little, it is closed.
const ROOM = 640;

export function settle(root, sheet, narrow) {
  const stage = root.parentElement;
  const place = () => {
    if (narrow.matches) sheet.prepend(root);
    else stage.append(root);
    root.open = !narrow.matches && stage.offsetWidth > ROOM;
  };
  place();
  narrow.addEventListener("change", place);
}

export class Legend {
  constructor(root, changed) {
    this.filter = { looks: new Set(), states: new Set() };
    this.rows = [...root.querySelectorAll("button[data-look], button[data-states]")];
    this.changed = changed;
    for (const row of this.rows) row.addEventListener("click", () => this.toggle(row));
  }

  toggle(row) {
    this.mark(row, row.getAttribute("aria-pressed") !== "true");
    this.changed();
  }

  mark(row, on) {
    row.setAttribute("aria-pressed", String(on));
    const [set, names] = row.dataset.look ? [this.filter.looks, [row.dataset.look]] : [this.filter.states, row.dataset.states.split(" ")];
    for (const name of names) set[on ? "add" : "delete"](name);
  }

  only(name) {
    const row = this.rows.find((candidate) => candidate.dataset.look === name);
    if (row) this.toggle(row);
  }

  // The pressed rows by name: a look, or a link's states with a hyphen in front.
  get pressed() {
    return this.rows.filter((row) => row.getAttribute("aria-pressed") === "true").map((row) => row.dataset.look ?? `-${row.dataset.states.split(" ")[0]}`);
  }

  set pressed(names) {
    this.clear();
    for (const row of this.rows) if (names.includes(row.dataset.look ?? `-${row.dataset.states.split(" ")[0]}`)) this.mark(row, true);
  }

  clear() {
    const any = this.filter.looks.size + this.filter.states.size > 0;
    for (const row of this.rows) row.setAttribute("aria-pressed", "false");
    this.filter.looks.clear();
    this.filter.states.clear();
    return any;
  }

  update(scene) {
    const { nodes, edges, all } = counts(scene);
    for (const row of this.rows) {
      const count = row.dataset.look ? nodes[row.dataset.look] : row.dataset.states.split(" ").reduce((sum, state) => sum + (edges[state] ?? 0), 0);
      row.querySelector(".count").textContent = count.toLocaleString("en");
      row.classList.toggle("none", count === 0);
    }
    return all;
  }
}
