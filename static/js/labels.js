// Which names fit: by priority, never over another name or over a node. Pure.

const CELL = 64;

class Boxes {
  constructor() {
    this.cells = new Map();
  }

  *near(box) {
    for (let cx = Math.floor(box.x / CELL); cx <= Math.floor((box.x + box.w) / CELL); cx += 1) {
      for (let cy = Math.floor(box.y / CELL); cy <= Math.floor((box.y + box.h) / CELL); cy += 1) {
        yield `${cx},${cy}`;
      }
    }
  }

  free(box) {
    for (const key of this.near(box)) {
      for (const other of this.cells.get(key) ?? []) {
        if (other.owner !== box.owner && box.x < other.x + other.w && other.x < box.x + box.w &&
            box.y < other.y + other.h && other.y < box.y + box.h) return false;
      }
    }
    return true;
  }

  add(box) {
    for (const key of this.near(box)) {
      if (this.cells.has(key)) this.cells.get(key).push(box);
      else this.cells.set(key, [box]);
    }
  }
}

// Where a name may stand around its point, best first.
const SPOTS = [
  (q) => [q.x - q.w / 2, q.y + q.gap],
  (q) => [q.x - q.w / 2, q.y - q.gap - q.h],
  (q) => [q.x + q.gap, q.y - q.h / 2],
  (q) => [q.x - q.gap - q.w, q.y - q.h / 2],
];

// `wanted` are {owner, x, y, w, h, gap, priority (smaller first), fixed?}; `taken` are boxes
// {owner, x, y, w, h}. Returns those that fit, each with its box's corner `bx`, `by`.
// A `fixed` one stands centred on its point or not at all.
export function place(wanted, taken) {
  const boxes = new Boxes();
  for (const box of taken) boxes.add(box);
  const placed = [];
  const order = [...wanted].sort((a, b) => a.priority - b.priority || (a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : 0));
  for (const want of order) {
    const spots = want.fixed ? [(q) => [q.x - q.w / 2, q.y - q.h / 2]] : SPOTS;
    for (const spot of spots) {
      const [x, y] = spot(want);
      const box = { owner: want.owner, x, y, w: want.w, h: want.h };
      if (!boxes.free(box)) continue;
      boxes.add({ ...box, owner: null });
      placed.push({ ...want, bx: x, by: y });
      break;
    }
  }
  return placed;
}
