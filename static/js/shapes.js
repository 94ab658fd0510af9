// The shapes of the map on a 2D context: nodes by look and role, marks in the middle of links.
// A look is told by its shape as well as by its colour.

const circle = (g, x, y, r) => {
  g.beginPath();
  g.arc(x, y, r, 0, 6.2832);
};

const square = (g, x, y, r) => {
  g.beginPath();
  g.roundRect(x - r, y - r, 2 * r, 2 * r, r * 0.35);
};

const diamond = (g, x, y, r) => {
  const d = r * 1.25;
  g.beginPath();
  g.moveTo(x, y - d);
  g.lineTo(x + d, y);
  g.lineTo(x, y + d);
  g.lineTo(x - d, y);
  g.closePath();
};

// On a flat side: none of the nodes has six corners.
const hexagon = (g, x, y, r) => {
  g.beginPath();
  for (const [px, py] of [[1, 0], [0.5, 0.866], [-0.5, 0.866], [-1, 0], [-0.5, -0.866], [0.5, -0.866]]) g.lineTo(x + px * r, y + py * r);
  g.closePath();
};

const OUTLINE = { gateway: square, relay: diamond };

export const COLOUR_OF = { up: "up", late: "late", down: "down", stale: "stale", pending: "stale", none: "stale" };

function crossed(g, x, y, r, colour, width) {
  g.beginPath();
  g.moveTo(x - r, y - r);
  g.lineTo(x + r, y + r);
  g.moveTo(x + r, y - r);
  g.lineTo(x - r, y + r);
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.stroke();
}

export function drawNode(g, { sx: x, sy: y, r, look, node }, palette) {
  const colour = palette[COLOUR_OF[look]];
  const outline = look === "down" ? square : OUTLINE[node.role] ?? circle;
  g.setLineDash([]);
  outline(g, x, y, r);
  g.fillStyle = look === "up" || look === "down" ? colour : palette.surface;
  g.fill();
  if (look === "up") return;
  if (look === "down") {
    crossed(g, x, y, r * 0.5, palette.surface, Math.max(1.2, r * 0.26));
    return;
  }
  if (look === "late") {
    g.save();
    g.clip();
    g.fillStyle = colour;
    g.fillRect(x - 2 * r, y - 2 * r, 2 * r, 4 * r);
    g.restore();
  }
  if (look === "stale" || look === "pending") g.setLineDash([2.6, 2]);
  if (look === "none") g.setLineDash([1.2, 1.8]);
  outline(g, x, y, r - 0.3);
  g.strokeStyle = colour;
  g.lineWidth = 1.5;
  g.stroke();
  g.setLineDash([]);
}

// The manager, where the paths of reports end.
export function drawManager(g, { sx: x, sy: y, r }, palette) {
  g.setLineDash([]);
  hexagon(g, x, y, r);
  g.fillStyle = palette.surface;
  g.fill();
  g.strokeStyle = palette.accent;
  g.lineWidth = 2;
  g.stroke();
  hexagon(g, x, y, r * 0.4);
  g.fillStyle = palette.accent;
  g.fill();
}

// The "!" beside a node that is down or has open alarms.
export function drawBadge(g, { sx, sy, r }, palette) {
  const [x, y] = [sx + r * 1.05, sy - r * 1.05];
  circle(g, x, y, 5);
  g.fillStyle = palette.surface;
  g.fill();
  g.strokeStyle = palette.down;
  g.lineWidth = 1.3;
  g.stroke();
  g.beginPath();
  g.moveTo(x, y - 2.7);
  g.lineTo(x, y + 0.4);
  g.moveTo(x, y + 1.9);
  g.lineTo(x, y + 2.7);
  g.stroke();
}

export function drawRing(g, x, y, r, palette, focused) {
  circle(g, x, y, r + 5);
  g.strokeStyle = palette.accent;
  g.lineWidth = focused ? 3.5 : 2.5;
  g.stroke();
}

export function drawMark(g, mark, [x, y], palette) {
  if (mark === "cross") {
    crossed(g, x, y, 5, palette.map, 5);
    crossed(g, x, y, 5, palette.down, 2);
    return;
  }
  circle(g, x, y, mark === "differ" ? 7.5 : 4);
  g.fillStyle = palette.map;
  g.fill();
  g.lineWidth = 1.5;
  g.strokeStyle = mark === "differ" ? palette.late : palette.stale;
  g.stroke();
  if (mark !== "differ") return;
  g.beginPath();
  g.moveTo(x - 3.6, y - 1.7);
  g.lineTo(x + 3.6, y - 1.7);
  g.moveTo(x - 3.6, y + 1.7);
  g.lineTo(x + 3.6, y + 1.7);
  g.moveTo(x + 2, y - 4.2);
  g.lineTo(x - 2, y + 4.2);
  g.stroke();
}

// The head of an arrow that points along a unit vector.
export function drawArrow(g, [x, y], [ux, uy], colour) {
  g.beginPath();
  g.moveTo(x + 8 * ux, y + 8 * uy);
  g.lineTo(x - 4 * ux - 5 * uy, y - 4 * uy + 5 * ux);
  g.lineTo(x - 4 * ux + 5 * uy, y - 4 * uy - 5 * ux);
  g.fillStyle = colour;
  g.fill();
}

// The port where a link leaves its node, at the interfaces level.
export function drawPort(g, x, y, colour, palette) {
  g.fillStyle = palette.surface;
  g.fillRect(x - 3, y - 3, 6, 6);
  g.strokeStyle = colour;
  g.lineWidth = 1.2;
  g.strokeRect(x - 3, y - 3, 6, 6);
}

// A site as one bubble: a ring of state shares around the number of its nodes.
export function drawBubble(g, { sx, sy, sr, site, members }, palette) {
  const { online, stale, offline, pending, external } = site.counts;
  const width = Math.max(sr < 12 ? 3 : 4, sr * 0.2);
  circle(g, sx, sy, sr);
  g.fillStyle = palette.surface;
  g.fill();
  const total = Math.max(1, online + stale + offline + pending + external);
  let from = -Math.PI / 2;
  g.lineWidth = width;
  for (const [count, colour] of [[offline, palette.down], [stale, palette.late], [pending + external, palette.stale], [online, palette.up]]) {
    if (count === 0) continue;
    const to = from + (count / total) * 2 * Math.PI;
    g.beginPath();
    g.arc(sx, sy, sr - width / 2, from, to);
    g.strokeStyle = colour;
    g.stroke();
    from = to;
  }
  // As large as fits between the ring's sides, or not at all.
  const text = String(members.count);
  const px = Math.min(sr > 24 ? 16 : 13, (3.2 * (sr - width)) / text.length);
  if (px < 8) return;
  g.fillStyle = palette.ink;
  g.font = `650 ${px}px system-ui, sans-serif`;
  g.textAlign = "center";
  g.textBaseline = "middle";
  g.fillText(text, sx, sy + 0.5);
}

// A dashed ring: around what would be lost.
export function drawLost(g, x, y, r, colour) {
  circle(g, x, y, r);
  g.strokeStyle = colour;
  g.lineWidth = 2.2;
  g.setLineDash([5, 3.5]);
  g.stroke();
  g.setLineDash([]);
}

// A bar in a disc: taken away.
export function drawTaken(g, x, y, r, palette) {
  circle(g, x, y, r);
  g.fillStyle = palette.accent;
  g.fill();
  g.beginPath();
  g.moveTo(x - r * 0.55, y);
  g.lineTo(x + r * 0.55, y);
  g.strokeStyle = palette.surface;
  g.lineWidth = Math.max(2, r * 0.3);
  g.stroke();
}

// A pin: a head on a needle.
export function drawPin(g, x, y, palette) {
  g.beginPath();
  g.moveTo(x, y);
  g.lineTo(x - 4, y - 5);
  g.strokeStyle = palette.accent;
  g.lineWidth = 2;
  g.stroke();
  circle(g, x - 5.5, y - 7, 4);
  g.fillStyle = palette.accent;
  g.fill();
  g.strokeStyle = palette.map;
  g.lineWidth = 1;
  g.stroke();
}
