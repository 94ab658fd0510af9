// What somebody moves glides to its new place. Loaded with the first layout that comes.

const GLIDE_MS = 250;

const memberOf = (scene, id) => scene.nodes.get(id) ?? scene.sites.get(id);
const isAt = (member, [x, y]) => member.x === x && member.y === y;

// Moves members to new places; false if the layout is one this scene cannot follow. Pure.
export function applyLayout(scene, { layout_rev: rev, moved }) {
  if (rev < scene.layoutRev) return false;
  for (const [id, x, y] of moved) {
    const member = memberOf(scene, id);
    if (member) Object.assign(member, { x, y });
  }
  scene.layoutRev = rev;
  scene.lists = null;
  return true;
}

// `page`: scene, patched(), dirty(), feed.resync(). `frame` calls back with the time in ms; who
// wants no motion sees it there at once.
export function glide(page, layout, frame = requestAnimationFrame, still = matchMedia("(prefers-reduced-motion: reduce)").matches) {
  const { scene } = page;
  const moved = layout.moved.map(([id]) => memberOf(scene, id)).filter(Boolean);
  const from = moved.map(({ x, y }) => [x, y]);
  if (!applyLayout(scene, layout)) {
    page.feed.resync();
    return;
  }
  let way = moved.map((member, i) => ({ member, from: from[i], at: from[i], to: [member.x, member.y] }));
  way = still ? [] : way.filter(({ member, from: was }) => !isAt(member, was));
  const put = (share) => {
    // What a patch or somebody's hand has put elsewhere meanwhile stays there.
    way = way.filter(({ member, at, to }) => isAt(member, at) || isAt(member, to));
    for (const one of way) {
      one.at = share === 1 ? one.to : one.from.map((start, i) => start + (one.to[i] - start) * share);
      [one.member.x, one.member.y] = one.at;
    }
  };
  put(0);
  page.patched();
  let began = null;
  const step = (now) => {
    if (page.scene !== scene) return;
    began ??= now;
    const share = Math.min((now - began) / GLIDE_MS, 1);
    // Slower towards the end.
    put(share * (2 - share));
    page.dirty();
    if (share < 1) frame(step);
  };
  if (way.length > 0) frame(step);
}
