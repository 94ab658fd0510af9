// Geometry of the map: views, half-edges, hit tests and steps by direction.
// Pure: numbers in, numbers out. Points are [x, y]; a view is {x, y, k}: the world point in the
// middle of the stage and the pixels per world unit.

export const toScreen = (view, size, x, y) => [
  (x - view.x) * view.k + size.w / 2,
  (y - view.y) * view.k + size.h / 2,
];

export const toWorld = (view, size, x, y) => [
  (x - size.w / 2) / view.k + view.x,
  (y - size.h / 2) / view.k + view.y,
];

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

// Zooms so that the world point under the pixel (px, py) stays under it.
export function zoomAt(view, size, px, py, factor, limits) {
  const k = clamp(view.k * factor, limits.min, limits.max);
  const [wx, wy] = toWorld(view, size, px, py);
  return { k, x: wx - (px - size.w / 2) / k, y: wy - (py - size.h / 2) / k };
}

// The view that shows every circle {x, y, r} inside the stage less its insets.
export function fit(circles, size, inset, maxK) {
  if (circles.length === 0) return { x: 0, y: 0, k: 1 };
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, r } of circles) {
    x0 = Math.min(x0, x - r);
    y0 = Math.min(y0, y - r);
    x1 = Math.max(x1, x + r);
    y1 = Math.max(y1, y + r);
  }
  const w = Math.max(40, size.w - inset.left - inset.right);
  const h = Math.max(40, size.h - inset.top - inset.bottom);
  const k = Math.min(w / Math.max(1e-6, x1 - x0), h / Math.max(1e-6, y1 - y0), maxK);
  return {
    k,
    x: (x0 + x1) / 2 - (inset.left - inset.right) / 2 / k,
    y: (y0 + y1) / 2 - (inset.top - inset.bottom) / 2 / k,
  };
}

// How far the i-th of n parallel links bows out, in pixels; one alone is straight.
export const bow = (i, n) => (n < 2 ? 0 : (i - (n - 1) / 2) * 26);

// The quadratic curve between two pixels, split where both halves meet.
// `sign` keeps the bow on the same side whichever end is named first.
export function halves(ax, ay, bx, by, bend) {
  const dx = bx - ax;
  const dy = by - ay;
  const length = Math.hypot(dx, dy) || 1;
  const sign = ax < bx || (ax === bx && ay < by) ? 1 : -1;
  const nx = (-dy / length) * bend * sign;
  const ny = (dx / length) * bend * sign;
  const cx = (ax + bx) / 2 + nx;
  const cy = (ay + by) / 2 + ny;
  const mx = (ax + 2 * cx + bx) / 4;
  const my = (ay + 2 * cy + by) / 4;
  return {
    straight: bend === 0,
    a: [ax, ay],
    ca: [(ax + cx) / 2, (ay + cy) / 2],
    mid: [mx, my],
    cb: [(bx + cx) / 2, (by + cy) / 2],
    b: [bx, by],
    along: [dx / length, dy / length],
  };
}

// The point of half `end` (0 or 1) at `t` of the way from its node to the middle.
export function pointOnHalf(curve, end, t) {
  const p = end === 0 ? curve.a : curve.b;
  const c = end === 0 ? curve.ca : curve.cb;
  const u = 1 - t;
  return [
    u * u * p[0] + 2 * u * t * c[0] + t * t * curve.mid[0],
    u * u * p[1] + 2 * u * t * c[1] + t * t * curve.mid[1],
  ];
}

export function distanceToSegment(px, py, ax, ay, bx, by) {
  const dx = bx - ax;
  const dy = by - ay;
  const t = clamp(((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy || 1), 0, 1);
  return Math.hypot(px - ax - t * dx, py - ay - t * dy);
}

// Four chords per half are within a pixel of the curve for the bows used here.
export function distanceToCurve(px, py, curve) {
  if (curve.straight) return distanceToSegment(px, py, ...curve.a, ...curve.b);
  let best = Infinity;
  for (const end of [0, 1]) {
    let from = end === 0 ? curve.a : curve.b;
    for (let i = 1; i <= 4; i += 1) {
      const to = pointOnHalf(curve, end, i / 4);
      best = Math.min(best, distanceToSegment(px, py, ...from, ...to));
      from = to;
    }
  }
  return best;
}

// Whether the segment's box touches the rectangle: cheap, and never wrong by leaving one out.
export const boxTouches = (ax, ay, bx, by, rect) =>
  Math.max(ax, bx) >= rect.x0 && Math.min(ax, bx) <= rect.x1 &&
  Math.max(ay, by) >= rect.y0 && Math.min(ay, by) <= rect.y1;

// What is under a pixel: nodes before site bubbles before links; the nearest of each.
// `slack` widens the targets for fingers.
export function hit(plan, px, py, slack) {
  const nearest = (items, distance, limit) => {
    let [found, best] = [null, Infinity];
    for (const item of items) {
      const d = distance(item);
      if (d <= limit(item) && d < best) [found, best] = [item, d];
    }
    return found;
  };
  const reach = (item) => Math.hypot(item.sx - px, item.sy - py);
  const { manager } = plan;
  const node = nearest(manager ? [...plan.nodes, manager] : plan.nodes, reach, (n) => n.r + 4 + slack);
  if (node) return { type: node === manager ? "manager" : "node", id: node.id };
  const net = plan.nets?.find(({ x, y, w, h }) => px >= x - slack && px <= x + w + slack && py >= y - slack && py <= y + h + slack);
  if (net) return { type: "net", id: net.id };
  const site = nearest(plan.bubbles, reach, (s) => s.sr + slack);
  if (site) return { type: "site", id: site.id };
  const edge = nearest(plan.edges, (e) => distanceToCurve(px, py, e.curve), () => 5 + slack);
  if (edge) return { type: "edge", id: edge.id };
  const label = plan.circles.find((s) => Math.abs(s.sx - px) < 70 && Math.abs(s.sy - s.sr - 12 - py) < 12);
  return label ? { type: "site", id: label.id } : null;
}

const AXES = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1] };

// The nearest item within 60 degrees of a direction; off-axis distance counts twice, so that
// steps follow rows rather than diagonals. Ties go to the smaller id.
export function stepTo(items, from, direction) {
  const [ax, ay] = AXES[direction];
  let [found, best] = [null, Infinity];
  for (const item of items) {
    const dx = item.sx - from.sx;
    const dy = item.sy - from.sy;
    const along = dx * ax + dy * ay;
    const across = Math.abs(dx * ay - dy * ax);
    if (item.id === from.id || along <= 0.5 || across > along * 1.7321) continue;
    const cost = along + 2 * across;
    if (cost < best || (cost === best && item.id < found.id)) [found, best] = [item, cost];
  }
  return found;
}
