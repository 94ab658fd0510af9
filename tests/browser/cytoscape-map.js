// The map's picture as cytoscape.js draws it: sites as compounds, nodes at their places with
// shape and colour by state, links in two colours by what each end shows, parallel ones bowed,
// names. Loaded by bench.mjs only.

"use strict";

const COLOURS = { up: "#00524c", idle: "#6f7478", unknown: "#6f7478", never: "#6f7478", overdue: "#97650f", missing: "#97650f", down: "#9e0b1e", online: "#00524c", stale: "#97650f", offline: "#9e0b1e", pending: "#6f7478" };
const SHAPES = { gateway: "round-rectangle", relay: "diamond" };

function elements({ sites, nodes, edges }) {
  return [
    ...sites.map(({ id, label }) => ({ data: { id, label }, classes: "site" })),
    ...nodes.map((node) => ({ data: { id: node.id, parent: node.site, label: node.label, colour: COLOURS[node.status] ?? "#6f7478", shape: node.status === "offline" ? "rectangle" : SHAPES[node.role] ?? "ellipse" }, position: { x: node.x, y: node.y } })),
    ...edges.map((edge) => ({ data: { id: edge.id, source: edge.source, target: edge.target, line: `${COLOURS[edge.ends[0].state]} ${COLOURS[edge.ends[0].state]} ${COLOURS[edge.ends[1].state]} ${COLOURS[edge.ends[1].state]}`, width: edge.state === "down" ? 2.6 : 1.6 }, classes: edge.state === "up" ? "" : "dashed" })),
  ];
}

const STYLE = [
  { selector: "node", style: { "background-color": "data(colour)", shape: "data(shape)", width: 10, height: 10, label: "data(label)", "font-size": 12, "min-zoomed-font-size": 8, "text-valign": "bottom" } },
  { selector: ".site", style: { shape: "ellipse", "background-color": "#ffffff", "border-width": 1, "border-color": "#d5dbe1", "text-valign": "top" } },
  { selector: "edge", style: { width: "data(width)", "curve-style": "bezier", "line-fill": "linear-gradient", "line-gradient-stop-colors": "data(line)", "line-gradient-stop-positions": "0 50 50 100" } },
  { selector: ".dashed", style: { "line-style": "dashed" } },
];

window.ready = fetch("/api/v1/topology").then((answer) => answer.json()).then((picture) => {
  const began = performance.now();
  window.cy = cytoscape({ container: document.getElementById("cy"), elements: elements(picture), style: STYLE, layout: { name: "preset" } });
  return new Promise((resolve) => window.cy.one("render", () => requestAnimationFrame(() => resolve({ first: performance.now() - began }))));
});

// Values of a patch, as the page applies them.
window.patch = ({ n, e }) => window.cy.batch(() => {
  for (const node of n.set) window.cy.getElementById(node.id).data("colour", COLOURS[node.status] ?? "#6f7478");
  for (const edge of e.set) window.cy.getElementById(edge.id).data("line", `${COLOURS[edge.ends[0].state]} ${COLOURS[edge.ends[0].state]} ${COLOURS[edge.ends[1].state]} ${COLOURS[edge.ends[1].state]}`);
});
