// What of the map is in the address. Pure.
//   sel      what is chosen: node~ID, edge~ID, site~ID, net~PREFIX, manager~manager; several by commas
//   q, p     the search; 1: problems only
//   layers   wireguard, subnets, relays by commas; the first alone if it is not told (r=1: relays, too)
//   only     rows of the legend that filter; hide=1: what is not bright is left out
//   focus    a node whose neighbourhood is shown, so many hops wide
//   site     one site's nodes and the links among them
//   path     from and to, a node or an address each, by a comma
//   without  nodes and links that are taken away, by commas
//   at       a time of the past; anon=1: what is taken away is under pseudonyms
//   x, y, k  where the view stands

const number = (text) => {
  const value = Number.parseFloat(text);
  return Number.isFinite(value) ? value : null;
};

export const LAYERS = ["wireguard", "subnets", "relays"];
export const MOST_HOPS = 3;

const list = (text) => (text ?? "").split(",").filter(Boolean);

function chosen(text) {
  const found = [];
  // A site's name may hold a comma, so only one that begins another choice divides.
  for (const part of (text ?? "").split(/,(?=(?:node|edge|site|net|manager)~)/)) {
    const [type, ...rest] = part.split("~");
    const id = rest.join("~");
    if (["node", "edge", "site", "net", "manager"].includes(type) && id) found.push({ type, id });
  }
  return found;
}

export function read(search) {
  const params = new URLSearchParams(search);
  const [x, y, k] = ["x", "y", "k"].map((name) => number(params.get(name) ?? ""));
  const [selected = null, ...more] = chosen(params.get("sel"));
  const layers = new Set(params.has("layers") ? list(params.get("layers")).filter((name) => LAYERS.includes(name)) : LAYERS.slice(0, 1));
  if (params.get("r") === "1") layers.add("relays");
  const [from = "", ...to] = (params.get("path") ?? "").split(",");
  const hops = Math.round(number(params.get("hops") ?? "") ?? 1);
  return {
    selected, more, layers,
    query: params.get("q") ?? "",
    problems: params.get("p") === "1",
    only: list(params.get("only")),
    hide: params.get("hide") === "1",
    focus: params.get("focus") ? { id: params.get("focus"), hops: Math.min(MOST_HOPS, Math.max(1, hops)) } : null,
    site: params.get("site"),
    path: params.has("path") ? { from, to: to.join(",") } : null,
    without: params.has("without") ? list(params.get("without")) : null,
    anon: params.get("anon") === "1",
    at: number(params.get("at") ?? ""),
    view: x !== null && y !== null && k !== null && k > 0 ? { x, y, k } : null,
  };
}

export function write(state) {
  const { selected, more, layers, query, problems, only, hide, focus, site, path, without, anon, at, view } = state;
  const params = new URLSearchParams();
  if (selected) params.set("sel", [selected, ...(more ?? [])].map(({ type, id }) => `${type}~${id}`).join(","));
  if (query) params.set("q", query);
  if (problems) params.set("p", "1");
  if (layers && [...layers].join() !== LAYERS[0]) params.set("layers", LAYERS.filter((name) => layers.has(name)).join());
  if (only?.length > 0) params.set("only", only.join());
  if (hide) params.set("hide", "1");
  if (focus) {
    params.set("focus", focus.id);
    if (focus.hops > 1) params.set("hops", String(focus.hops));
  }
  if (site) params.set("site", site);
  if (path) params.set("path", `${path.from},${path.to}`);
  if (without) params.set("without", without.join());
  if (anon) params.set("anon", "1");
  if (at) params.set("at", String(at));
  if (view) {
    params.set("x", view.x.toFixed(1));
    params.set("y", view.y.toFixed(1));
    params.set("k", view.k.toPrecision(4));
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}
