// Choosing several things: one more, or all in a rectangle. Loaded once the picture is on its way.

import { byId } from "./dom.js";

export class Choice {
  // `page` is the map's page.
  constructor(page) {
    this.page = page;
  }

  // Adds to what is chosen, or takes it from there.
  add({ type, id }) {
    const { selected, more } = this.page.state;
    const all = [selected, ...more].filter(Boolean);
    const rest = all.filter((item) => item.id !== id);
    const less = rest.length < all.length;
    this.page.choose(less ? rest[0] ?? null : { type, id }, false, less ? rest.slice(1) : rest);
  }

  // Chooses everything in a rectangle of the stage.
  box(from, to, done, up) {
    const [x0, x1] = [from.x, to.x].sort((a, b) => a - b);
    const [y0, y1] = [from.y, to.y].sort((a, b) => a - b);
    const box = byId("box");
    const { plan } = this.page;
    box.hidden = done;
    Object.assign(box.style, { left: `${x0}px`, top: `${y0}px`, width: `${x1 - x0}px`, height: `${y1 - y0}px` });
    if (!done || !up || !plan) return;
    const within = ({ sx, sy }) => sx >= x0 && sx <= x1 && sy >= y0 && sy <= y1;
    const found = [...plan.nodes.filter(within).map(({ id }) => ({ type: "node", id })), ...plan.bubbles.filter(within).map(({ id }) => ({ type: "site", id }))];
    if (found.length > 0) this.page.choose(found[0], false, found.slice(1));
  }
}
