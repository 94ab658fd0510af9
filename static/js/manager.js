// The manager, where all paths of reports end: what is told of it when its hexagon is chosen. Loaded
// with the details, or with what is told to those who do not see the stage.

import { byId, h } from "./dom.js";
import { ago, iso, plural } from "./format.js";
import { MANAGER } from "./relays.js";

// How agents' last reports came: how many straight, how many by which last relay on the map, and by
// which relays that are not on it. Pure.
export function arrivals(scene) {
  const last = new Map();
  const unseen = new Set();
  let [direct, relayed, hidden] = [0, 0, 0];
  for (const { kind, status, relay_path: relays } of scene.nodes.values()) {
    if (kind !== "agent" || status === "pending") continue;
    if (!relays?.length) {
      direct += 1;
      continue;
    }
    relayed += 1;
    const there = relays.map((id) => `a:${id}`).filter((id) => scene.nodes.has(id));
    if (there.length < relays.length) hidden += 1;
    for (const id of relays) if (!scene.nodes.has(`a:${id}`)) unseen.add(id);
    const nearest = there.at(-1);
    if (nearest) last.set(nearest, (last.get(nearest) ?? 0) + 1);
  }
  return { direct, relayed, hidden, unseen: [...unseen].sort(), last: [...last].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)) };
}

// The same in one line.
export function line(scene) {
  const { direct, relayed, hidden } = arrivals(scene);
  return `Manager, ${plural(direct, "agent")} ${direct === 1 ? "reports" : "report"} straight to it, ${relayed} through relays${hidden > 0 ? `, ${hidden} of them through relays that are not on this map` : ""}`;
}

export function manager(panel, scene) {
  const { direct, relayed, hidden, unseen, last } = arrivals(scene);
  const { version, started } = byId("stage").dataset;
  const now = panel.verbs.now();
  const visits = document.body.dataset.visit === "true";
  const facts = [
    ["Straight", `${plural(direct, "agent")}`],
    ["Through relays", `${plural(relayed, "agent")}`],
    // What ran then is not known.
    !scene.past && ["Version", version],
    !scene.past && ["Running since", h("time", { datetime: iso(Number(started)), title: iso(Number(started)) }, ago(Number(started), now))],
  ].filter(Boolean);
  return [
    panel.back(),
    h("h2", {}, "Manager"),
    h("p", {}, "Where every report ends. How the last report of each agent came:"),
    h("dl", { class: "facts" }, facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("p", { class: "actions" },
      !visits && h("a", { class: "button small", href: "/reports", "data-focus": "open" }, "Open reports"),
      panel.button("Show on map", () => panel.verbs.zoomTo({ type: "manager", id: MANAGER }))),
    last.length > 0 && [
      h("h3", {}, "Last relay on the way"),
      h("ul", { class: "list" }, last.slice(0, 20).map(([id, count]) => h("li", {}, h("span", { class: "grow" }, panel.choose("node", id, scene.nodes.get(id).label)), h("span", { class: "muted" }, plural(count, "agent"))))),
      last.length > 20 && h("p", { class: "muted" }, `and ${last.length - 20} more`),
    ],
    hidden > 0 && h("p", { class: "notice" }, `The reports of ${plural(hidden, "agent")} passed ${plural(unseen.length, "relay")} not on this map, ${unseen.slice(0, 5).join(", ")}${unseen.length > 5 ? " and others" : ""}: their ways are drawn without ${unseen.length === 1 ? "it" : "them"}.`),
  ];
}
