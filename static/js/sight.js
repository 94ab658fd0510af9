// Where the view of the map stands, and how it gets to another place.

import { byId } from "./dom.js";
import { fit, zoomAt } from "./geometry.js";
import { managerPlace, steps } from "./relays.js";
import { lists } from "./scene.js";

const LIMITS = { min: 0.005, max: 60 };
const FIT_MAX = 2.2;
const TWEEN_MS = 250;

export class Sight {
  // `page`: its scene, plan, painter and state, and what to do when the view moves.
  constructor(page) {
    this.page = page;
    this.view = page.state.view;
    // Whether everything is shown, and is to stay so.
    this.fitted = false;
  }

  // Moves by so many pixels.
  pan(dx, dy) {
    const { view } = this;
    if (view) this.move({ ...view, x: view.x - dx / view.k, y: view.y - dy / view.k });
  }

  // Zooms at a pixel.
  zoom(x, y, factor, smooth = false) {
    if (this.view) this.move(zoomAt(this.view, this.page.painter.size, x, y, factor, LIMITS), smooth);
  }

  inset() {
    const { page } = this;
    const narrow = page.narrow.matches;
    const legend = byId("legend");
    const left = !narrow && legend.open ? Math.min(legend.offsetWidth + 12, page.painter.size.w / 3) : 0;
    return narrow ? { left: 40, right: 76, top: 24, bottom: 44 } : { left: left + 20, right: 40, top: 38, bottom: 36 };
  }

  fit(jump = false) {
    const { page } = this;
    if (!page.scene || page.scene.sites.size === 0) return;
    const sites = [...page.scene.sites.values()];
    const manager = page.state.layers.has("relays") && steps(page.scene).length > 0 ? [{ ...managerPlace(sites), r: 0 }] : [];
    this.move(fit([...sites, ...manager], page.painter.size, this.inset(), this.fitLimit()), !jump);
    this.fitted = true;
  }

  // A lone pair of agents should not fill the screen.
  fitLimit() {
    const { page } = this;
    const widest = Math.max(...[...page.scene.sites.values()].map((site) => site.r), 1e-6);
    return (FIT_MAX * 160) / widest;
  }

  zoomBy(factor) {
    const { w, h } = this.page.painter.size;
    this.zoom(w / 2, h / 2, factor, true);
  }

  zoomTo({ type, id }) {
    const { page } = this;
    const { nodes, edges, sites } = page.scene;
    const place = type === "manager" && managerPlace(sites.values());
    if (place) return this.move({ ...this.view, ...place }, true);
    const members = type === "node" ? [nodes.get(id)] : type === "site" ? [sites.get(id)]
      : type === "net" ? [...(page.networks.part?.all(page.scene).get(id)?.keys() ?? [])].map((node) => nodes.get(node))
      : [nodes.get(edges.get(id)?.source), nodes.get(edges.get(id)?.target)];
    // A node already drawn large enough is only brought to the middle.
    const keep = type === "node" && nodes.has(id) && this.view && page.plan?.nodes.some((node) => node.id === id);
    if (keep) this.move({ ...this.view, x: members[0].x, y: members[0].y }, true);
    else this.frame(members.filter(Boolean), type === "site");
  }

  // Shows these nodes, or sites, with what is around them.
  frame(there, whole = false) {
    const { page } = this;
    if (there.length === 0) return;
    const { sites } = page.scene;
    const home = (member) => sites.get(member.site) ?? member;
    const agents = (site) => Math.max(4, lists(page.scene).inSite.get(site.id)?.count ?? 4);
    const circles = there.map((member) => ({ x: member.x, y: member.y, r: whole ? member.r * 1.08 : (home(member).r * 3.4) / Math.sqrt(agents(home(member))) }));
    this.move(fit(circles, page.painter.size, this.inset(), LIMITS.max), true);
  }

  move(view, smooth = false) {
    const { page } = this;
    cancelAnimationFrame(this.tween);
    const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.fitted = false;
    if (!smooth || calm || !this.view || document.hidden) {
      this.view = view;
      page.dirty(true);
      if (smooth || !page.plan) page.rested();
      return;
    }
    const from = this.view;
    const begin = performance.now();
    const frame = (time) => {
      const t = Math.min(1, Math.max(0, (time - begin) / TWEEN_MS));
      const ease = t * (2 - t);
      const k = from.k * (view.k / from.k) ** ease;
      // The middle must follow the scale, or a zoom by buttons would drift.
      const part = Math.abs(view.k - from.k) < 1e-9 * view.k ? ease : (1 / from.k - 1 / k) / (1 / from.k - 1 / view.k);
      this.view = { k, x: from.x + (view.x - from.x) * part, y: from.y + (view.y - from.y) * part };
      page.dirty(true);
      if (t < 1) this.tween = requestAnimationFrame(frame);
      else page.rested();
    };
    this.tween = requestAnimationFrame(frame);
  }
}
