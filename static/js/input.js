// Turns wheel, drag, pinch, click and keys on the stage into a few verbs:
// pan(dx, dy), zoom(x, y, factor), tap(x, y, slack, add), open(x, y), hover(x, y), key(name, shift), rest(),
// box(from, to, done) while Shift is held, grab(x, y) -> whether a thing is dragged, then
// carry(x, y, done).

const KEYS = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  "+": "in", "=": "in", "-": "out", _: "out", 0: "fit", Enter: "enter", Escape: "escape",
  "?": "help", "/": "search", n: "next", N: "previous", r: "relays", s: "subnets", l: "layers", t: "table", c: "changes",
  f: "focus", F: "wider", p: "path", w: "without", " ": "keep", a: "arrange", u: "undo",
  "[": "earlier", "]": "later",
};

const CLICK_SLACK = 4;

export function listen(stage, verbs) {
  const pointers = new Map();
  let moved = 0;
  let gap = 0;
  let resting = 0;
  // What dragging does: nothing of its own, or "box" or "carry".
  let drag = null;
  let begin = null;

  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const restSoon = () => {
    clearTimeout(resting);
    resting = setTimeout(verbs.rest, 140);
  };

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = at(event);
    const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    verbs.zoom(x, y, Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * 0.0018));
    restSoon();
  }, { passive: false });

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    drag = null;
    if (pointers.size === 1) {
      begin = at(event);
      moved = 0;
      drag = event.shiftKey ? "box" : verbs.grab(begin.x, begin.y) ? "carry" : null;
    } else [gap, moved] = [0, Infinity];
  });

  stage.addEventListener("pointermove", (event) => {
    const now = at(event);
    const before = pointers.get(event.pointerId);
    if (!before) {
      verbs.hover(now.x, now.y);
      return;
    }
    pointers.set(event.pointerId, now);
    if (pointers.size === 2) {
      const [p, q] = [...pointers.values()];
      const wide = Math.hypot(p.x - q.x, p.y - q.y);
      if (gap > 0) verbs.zoom((p.x + q.x) / 2, (p.y + q.y) / 2, wide / gap);
      gap = wide;
      verbs.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
      return;
    }
    moved += Math.hypot(now.x - before.x, now.y - before.y);
    if (moved <= CLICK_SLACK) return;
    if (drag === "box") verbs.box(begin, now, false);
    else if (drag === "carry") verbs.carry(now.x, now.y, false);
    else verbs.pan(now.x - before.x, now.y - before.y);
  });

  const release = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    gap = 0;
    if (pointers.size > 0) return;
    const { x, y } = at(event);
    const up = event.type === "pointerup";
    if (up && moved <= CLICK_SLACK) verbs.tap(x, y, event.pointerType === "touch" ? 10 : 0, event.shiftKey);
    else if (drag === "box" && moved < Infinity) verbs.box(begin, { x, y }, true, up);
    else if (drag === "carry" && moved < Infinity) verbs.carry(x, y, true, up);
    else {
      restSoon();
    }
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);

  stage.addEventListener("dblclick", (event) => {
    const { x, y } = at(event);
    verbs.open(x, y);
  });

  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const verb = KEYS[event.key];
    if (!verb) return;
    event.preventDefault();
    verbs.key(verb, event.shiftKey);
    restSoon();
  });
}
