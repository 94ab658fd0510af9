// Which names fit: by priority, never over another name or over a node. Pure.

const CELL = 64;
const APART = 4;

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

const CENTRED = [(q) => [q.x - q.w / 2, q.y - q.h / 2]];

const UPRIGHT = SPOTS.slice(0, 2);

// What a line ties to its point may stand farther away, and above it first: names stand below.
const TIED = [0, 24, 48].flatMap((more) => [1, 2, 3, 0].map((i) => (q) => SPOTS[i]({ ...q, gap: q.gap + more })));

const isOn = ({ x, y }, stage) => x >= 0 && x <= stage.w && y >= 0 && y <= stage.h;

// Whether a label's box would be cut by the stage's edge, or be on the other side of it than its point.
const cut = ({ x, y, w, h }, point, stage) =>
  isOn(point, stage) ? x < 0 || x + w > stage.w || y < 0 || y + h > stage.h : x < stage.w && x + w > 0 && y < stage.h && y + h > 0;

// Where a label begins that is moved sideways onto the stage, if its point is there.
const within = (at, want, stage) => (isOn(want, stage) ? Math.min(Math.max(at, 0), stage.w - want.w) : at);

// `wanted` are {owner, x, y, w, h, gap, priority (smaller first), fixed?, upright?, tied?,
// less?};
// `taken` are boxes {owner, x, y, w, h}. Returns those that fit, each with its box's corner
// `bx`, `by`. A `fixed` one stands centred on its point or not at all, an `upright` one below or
// above it; `less` is a smaller form of the same label, taken where the full one does not fit.
// No label is cut by the edge of the `stage`, {w, h}: what belongs to a point on it is moved
// sideways, if it stands below or above that, and all else is left out.
export function place(wanted, taken, stage = null) {
  const boxes = new Boxes();
  for (const box of taken) boxes.add(box);
  const placed = [];
  const order = [...wanted].sort((a, b) => a.priority - b.priority || (a.owner < b.owner ? -1 : a.owner > b.owner ? 1 : 0));
  const fits = (want) => {
    for (const spot of want.fixed ? CENTRED : want.upright ? UPRIGHT : want.tied ? TIED : SPOTS) {
      const [at, y] = spot(want);
      const x = stage && UPRIGHT.includes(spot) ? within(at, want, stage) : at;
      const box = { owner: want.owner, x, y, w: want.w, h: want.h };
      if ((stage && cut(box, want, stage)) || !boxes.free(box)) continue;
      // Two names in a row must not read as one.
      boxes.add({ ...box, x: x - APART, w: want.w + 2 * APART, owner: null });
      placed.push({ ...want, bx: x, by: y });
      return true;
    }
    return false;
  };
  for (const want of order) if (!fits(want) && want.less) fits(want.less);
  return placed;
}
